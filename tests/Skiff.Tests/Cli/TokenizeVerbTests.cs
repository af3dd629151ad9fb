using Skiff.Tests.EndToEnd;

namespace Skiff.Tests.Cli;

public sealed class TokenizeVerbTests
{
    private static string Gpt2 => Data.File("tokenizers", "gpt2");

    private static string Stories => Data.File("models", "stories260k");

    [Fact]
    public void TextAndIdsGoBothWays()
    {
        Assert.Equal("15496 995\n", CommandLine.Output("tokenize", Gpt2, "Hello world"));
        Assert.Equal("Hello world\n", CommandLine.Output("detokenize", Gpt2, "15496", "995"));
        Assert.Equal("Hello world\n", CommandLine.Output("detokenize", Gpt2, "[15496, 995]"));
        Assert.Equal("{\"ids\":[15496,995],\"tokens\":[\"Hello\",\"\u0120world\"]}\n", CommandLine.Output("tokenize", Gpt2, "Hello world", "--json"));
        Assert.Equal("{\"text\":\"Hello world\"}\n", CommandLine.Output("detokenize", Gpt2, "15496", "995", "--json"));
    }

    [Fact]
    public void SpecialTokensAreKeptOrLeftOut()
    {
        string llama = Data.File("tokenizers", "gguf", "ggml-vocab-llama-spm.gguf");
        Assert.Equal("1 22172\n", CommandLine.Output("tokenize", llama, "hello"));
        Assert.Equal("22172\n", CommandLine.Output("tokenize", llama, "hello", "--no-special"));
        Assert.Equal("<s> hello\n", CommandLine.Output("detokenize", llama, "1", "22172"));
        Assert.Equal("hello\n", CommandLine.Output("detokenize", llama, "1", "22172", "--skip-special"));
        Assert.Equal("50256\n", CommandLine.Output("tokenize", Gpt2, "<|endoftext|>"));
        Assert.Equal("50256\n", CommandLine.Output("tokenize", Gpt2, "<|endoftext|>", "--no-special"));
    }

    [Fact]
    public void LinesOfJsonGoBothWays()
    {
        using TemporaryFile texts = new("{\"text\": \"Hello world\"}\n\n{\"text\": \"\", \"id\": 7}\n{\"text\": \"\u00E9\"}\n");
        string ids = CommandLine.Output("tokenize", Gpt2, "--jsonl", texts.Path);
        Assert.Equal("{\"ids\":[15496,995]}\n{\"ids\":[]}\n{\"ids\":[2634]}\n", ids);
        using TemporaryFile numbers = new(ids);
        Assert.Equal("{\"text\":\"Hello world\"}\n{\"text\":\"\"}\n{\"text\":\"\u00E9\"}\n", CommandLine.Output("detokenize", Gpt2, "--jsonl", numbers.Path));
    }

    [Fact]
    public void ACheckpointUsesTheTokenizerBesideIt() =>
        Assert.Equal(
            CommandLine.Output("tokenize", Path.Combine(Stories, "tok512.bin"), "Once upon a time"),
            CommandLine.Output("tokenize", Path.Combine(Stories, "stories260K.bin"), "Once upon a time"));

    [Fact]
    public void RefusalsAreOneLine()
    {
        Assert.Contains("id 50257: no token has it; ids go from 0 to 50256", Error("detokenize", Gpt2, "50257"), StringComparison.Ordinal);
        Assert.Contains("5x: is not a whole number", Error("detokenize", Gpt2, "1,5x"), StringComparison.Ordinal);
        Assert.Contains("give either TEXT or --jsonl", Error("tokenize", Gpt2, "a", "--jsonl", "b"), StringComparison.Ordinal);
        using TemporaryFile texts = new("{\"words\": \"a\"}\n");
        Assert.Contains($"{texts.Path} line 1: text: is missing", Error("tokenize", Gpt2, "--jsonl", texts.Path), StringComparison.Ordinal);
        Assert.Contains("ids: is missing", Error("detokenize", Gpt2, "--jsonl", texts.Path), StringComparison.Ordinal);
    }

    private static string Error(params string[] args)
    {
        (int code, string output, string error) = CommandLine.Run(args);
        Assert.NotEqual(0, code);
        Assert.Equal("", output);
        return error;
    }
}
