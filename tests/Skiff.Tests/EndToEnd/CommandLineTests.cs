using System.Diagnostics;
using Skiff.Cli;

namespace Skiff.Tests.EndToEnd;

public sealed class CommandLineTests
{
    [Theory]
    [InlineData("genrate", "skiff: unknown verb 'genrate'; did you mean 'generate'?")]
    [InlineData("xyzzy", "skiff: unknown verb 'xyzzy'; 'skiff --help' lists what it takes")]
    [InlineData("generate m --temp 1", "skiff: generate: unknown option '--temp'; did you mean '--temperature'?")]
    [InlineData("generate --tmperature 1 m", "skiff: generate: unknown option '--tmperature'; did you mean '--temperature'?")]
    [InlineData("generate m --temperature 0,5", "skiff: generate: --temperature takes a number, not '0,5' ('skiff generate --help' shows the usage)")]
    [InlineData("generate m --temperature NaN", "skiff: generate: --temperature takes a number, not 'NaN' ('skiff generate --help' shows the usage)")]
    [InlineData("generate m --seed -1", "skiff: generate: --seed takes a whole number from 0 to 2^64 - 1, not '-1' ('skiff generate --help' shows the usage)")]
    [InlineData("generate", "skiff: generate: MODEL is missing ('skiff generate --help' shows the usage)")]
    [InlineData("generate m --prompt a --prompt-file b", "skiff: generate: --prompt and --prompt-file exclude each other ('skiff generate --help' shows the usage)")]
    [InlineData("generate m --sampler llama2c --top-k 3", "skiff: generate: --sampler and --top-k exclude each other ('skiff generate --help' shows the usage)")]
    [InlineData("generate m --steps 3", "skiff: generate: --steps needs --sampler llama2c; --max-tokens counts without it ('skiff generate --help' shows the usage)")]
    [InlineData("score m --jsonl a --logits", "skiff: score: --logits needs --json ('skiff score --help' shows the usage)")]
    [InlineData("tokenizer", "skiff: tokenizer: which verb? 'skiff tokenizer --help' lists them")]
    [InlineData("tokenizer trian", "skiff: tokenizer: unknown verb 'trian'; did you mean 'train'?")]
    [InlineData("", "skiff: which verb? 'skiff --help' lists them")]
    public void AWrongCommandLineIsOneLineAndExitCode2(string line, string problem)
    {
        string[] args = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal((2, "", problem + "\n"), CommandLine.Run(args));
    }

    [Fact]
    public void EveryVerbHasAHelpPageWithAnExampleOfItself()
    {
        string list = CommandLine.Output("--help");
        foreach (Verb verb in Verbs.All())
        {
            Assert.Contains($"  {verb.Name} ", list);
            CheckHelp(verb, [verb.Name]);
        }
    }

    // A verb is done itself, or has verbs of its own, or, where it takes an argument, both.
    private static void CheckHelp(Verb verb, string[] path)
    {
        string page = CommandLine.Output([.. path, "--help"]);
        Verb[] inner = [.. verb.Subcommands.OfType<Verb>()];
        bool done = inner.Length == 0 || verb.Arguments.Count > 0;
        Assert.Equal(done, page.Contains("Example"));
        Assert.Equal(done, verb.Examples.Any(example => example.Contains($"skiff {string.Join(' ', path)}")));
        foreach (Verb part in inner)
            CheckHelp(part, [.. path, part.Name]);
    }

    [Fact]
    public void AModelThatIsAbsentIsOneLineAndExitCode1()
    {
        (int code, string output, string error) = CommandLine.Run("generate", "/no/such/model");
        Assert.Equal((1, ""), (code, output));
        Assert.StartsWith("skiff: /no/such/model", error);
        Assert.Single(error.TrimEnd('\n').Split('\n'));
    }

    [Fact]
    public async Task TheScriptRunsThroughALinkFromAnotherFolderAndEndsQuietlyAtABrokenPipe()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "the script is for a Unix shell");
        DirectoryInfo folder = Directory.CreateTempSubdirectory("skiff a b ");
        try
        {
            File.CreateSymbolicLink(Path.Combine(folder.FullName, "boat"), Path.Combine(Data.Root, "skiff"));
            ProcessStartInfo start = new("bash", ["-c", "./boat --version && ./boat --help | head -n 1; ./boat nonsense; echo $?"])
            {
                WorkingDirectory = folder.FullName,
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            };
            using Process process = Process.Start(start)!;
            Task<string> error = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
            string[] output = (await process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken)).TrimEnd('\n').Split('\n');
            Assert.Equal(3, output.Length);
            Assert.StartsWith("0.", output[0]);
            Assert.Equal(["Description:", "2"], output[1..]);
            // A first call may say that it builds.
            Assert.Equal("skiff: unknown verb 'nonsense'; 'skiff --help' lists what it takes", (await error).TrimEnd('\n').Split('\n')[^1]);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }
}
