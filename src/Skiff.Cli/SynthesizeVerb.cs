using System.CommandLine;
using System.Text;
using System.Text.Json.Nodes;
using Skiff.Inference;
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Cli;

/// <summary><c>skiff synthesize</c>: a model writes texts for another to learn from.</summary>
internal static class SynthesizeVerb
{
    public static Verb Create()
    {
        Argument<string> model = Flags.Model();
        Argument<string> target = new("OUT") { Description = "A .jsonl file, a text a line. What is written so far lies in OUT.part, and the same command goes on there." };
        Option<long?> texts = TrainVerb.Long("--texts", "N", "Texts to write [default: 1000].");
        Option<string?> prompts = Flags.Text("--prompts", "FILE", "A beginning a line, taken in turns; it stays part of the text [default: none, the model begins itself].");
        Option<int?> tokens = Flags.Whole("--max-tokens", "Tokens of a text behind its beginning at most [default: 256].");
        Option<double?> temperature = Flags.Real("--temperature", "Divides the logits; 1 writes as the model foretells [default: 1].");
        Option<double?> top = Flags.Real("--top-p", "Draw from the likeliest tokens that hold this much probability [default: 1].");
        Option<ulong?> seed = Flags.Unsigned("--seed", "Decides the texts, each by its own number [default: 0].");
        Option<int?> together = Flags.Whole("--parallel", "Texts that are written at a time [default: 16].");
        Option<bool> json = Flags.Json("Print one JSON object: texts and characters.");
        Verb verb = new("synthesize", "Let a model write texts, for a smaller one to learn from.")
        {
            Examples =
            [
                "skiff synthesize my-model texts.jsonl --texts 20000",
                "skiff synthesize my-model answers.jsonl --prompts questions.txt --texts 5000 --max-tokens 400 --temperature 0.8",
            ],
        };
        verb.Arguments.Add(model);
        verb.Arguments.Add(target);
        foreach (Option option in new Option[] { texts, prompts, tokens, temperature, top, seed, together, json })
            verb.Options.Add(option);
        return verb.Computes((parse, stop) =>
        {
            string to = parse.GetValue(target)!, part = to + ".part";
            if (File.Exists(to))
                throw new InvalidInputException(to, "OUT", "is there already: name another file");
            long all = AtLeastOne("--texts", parse.GetValue(texts) ?? 1000);
            int most = (int)AtLeastOne("--max-tokens", parse.GetValue(tokens) ?? 256), beside = (int)AtLeastOne("--parallel", parse.GetValue(together) ?? 16);
            SamplingOptions sampling = new() { Temperature = (float)(parse.GetValue(temperature) ?? 1), TopP = (float)(parse.GetValue(top) ?? 1), Seed = parse.GetValue(seed) ?? 0 };
            sampling.Validate("skiff synthesize");
            string[] begin = parse.GetValue(prompts) is { } file ? [.. ReadLines(file).Where(line => line.Length > 0)] : [""];
            if (begin.Length == 0)
                throw new InvalidInputException(parse.GetValue(prompts)!, "--prompts", "has no line to begin with");
            Model opened = Model.Open(parse.GetValue(model)!);
            long done = Whole(part), characters = 0;
            TextWriter error = parse.InvocationConfiguration.Error;
            if (done > 0)
                error.WriteLine($"skiff: goes on behind {done} texts in {part}");
            using (Progress progress = new(error, "writing", "texts", all))
            using (FileStream stream = new(part, FileMode.Append))
            {
                foreach (string text in SyntheticTexts.Write(opened, begin, done, Math.Max(0, all - done), sampling, most, beside, stop))
                {
                    stream.Write(Encoding.UTF8.GetBytes(new JsonObject { ["text"] = text }.ToJsonString() + "\n"));
                    characters += text.Length;
                    progress.Report(++done);
                }
            }

            File.Move(part, to);
            if (parse.GetValue(json))
                Output.Json(parse.InvocationConfiguration.Output, writer =>
                {
                    writer.WriteNumber("texts", all);
                    writer.WriteNumber("characters_written", characters);
                });
            else
                parse.InvocationConfiguration.Output.WriteLine($"{all:N0} texts in {to}");
            return Program.Success;
        });
    }

    private static long AtLeastOne(string flag, long value) => value >= 1 ? value : throw new InvalidInputException("skiff synthesize", flag, $"must be at least 1, not {value}");

    private static string[] ReadLines(string path)
    {
        try
        {
            return File.ReadAllLines(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new InvalidInputException(path, "--prompts", $"cannot be read: {e.Message}", e);
        }
    }

    // Whole lines of what an interrupted run left; a line that is cut short goes.
    private static long Whole(string part)
    {
        if (!File.Exists(part))
            return 0;
        using FileStream stream = new(part, FileMode.Open, FileAccess.ReadWrite);
        long lines = 0, end = 0;
        for (int value = stream.ReadByte(); value >= 0; value = stream.ReadByte())
        {
            if (value == '\n')
                (lines, end) = (lines + 1, stream.Position);
        }

        stream.SetLength(end);
        return lines;
    }
}
