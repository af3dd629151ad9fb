using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Cli;

/// <summary><c>skiff detokenize</c>: the texts of ids.</summary>
internal static class DetokenizeVerb
{
    private static readonly char[] s_between = [' ', ',', '\t', '\r', '\n', '[', ']'];

    public static Verb Create()
    {
        Argument<string> path = TokenizeVerb.Source();
        Argument<string[]> ids = new("IDS")
        {
            Description = "The ids; without any and without --jsonl, those of standard input, between blanks or commas.",
            Arity = ArgumentArity.ZeroOrMore,
        };
        Option<string?> jsonl = Flags.Text("--jsonl", "FILE", "Ids, plain or gzip, '-' for standard input: a line is {\"ids\": [...]}, and comes out as {\"text\": ...}.");
        Option<bool> skip = new("--skip-special") { Description = "Leave out special tokens, such as BOS." };
        Option<bool> json = Flags.Json("Print the text as JSON.");
        Verb verb = new("detokenize", "Turn token ids back into text.")
        {
            Examples =
            [
                "skiff detokenize my-model 1 403 407 261 378",
                "skiff detokenize tokenizer.json --jsonl ids.jsonl --skip-special",
            ],
        };
        verb.Arguments.Add(path);
        verb.Arguments.Add(ids);
        foreach (Option option in new Option[] { jsonl, skip, json })
            verb.Options.Add(option);
        verb.Validators.Add(result =>
        {
            if (result.GetValue(ids) is { Length: > 0 } && result.GetValue(jsonl) is not null)
                result.AddError("give either IDS or --jsonl");
        });
        return verb.Runs((parse, stop) =>
        {
            Tokenizer tokenizer = TokenizeVerb.Open(parse.GetValue(path)!);
            TextWriter output = parse.InvocationConfiguration.Output;
            bool skipSpecial = parse.GetValue(skip);
            if (parse.GetValue(jsonl) is not { } file)
            {
                string[] given = parse.GetValue(ids) is { Length: > 0 } some ? some : [TokenizeVerb.StandardInput()];
                string text = Decode(tokenizer, Numbers(given), "ids", skipSpecial);
                if (parse.GetValue(json))
                    Output.Json(output, writer => writer.WriteString("text", text));
                else
                    output.WriteLine(text);
                return Program.Success;
            }

            using JsonLines lines = JsonLines.Open(file);
            while (lines.Next() is { } line)
            {
                stop.ThrowIfCancellationRequested();
                if (!line.TryGetProperty("ids", out JsonElement value))
                    throw new InvalidInputException(lines.Source, "ids", "is missing");
                string text = Decode(tokenizer, ScoreVerb.Ids(value, lines.Source), lines.Source, skipSpecial);
                Output.Json(output, writer => writer.WriteString("text", text));
            }

            return Program.Success;
        });
    }

    private static string Decode(Tokenizer tokenizer, int[] ids, string source, bool skipSpecial)
    {
        foreach (int id in ids)
        {
            if (tokenizer.TextOf(id) is null)
                throw new InvalidInputException(source, $"id {id}", $"no token has it; ids go from 0 to {tokenizer.VocabularySize - 1}");
        }

        return tokenizer.Decode(ids, skipSpecial);
    }

    private static int[] Numbers(string[] given)
    {
        List<int> ids = [];
        foreach (string part in given.SelectMany(g => g.Split(s_between, StringSplitOptions.RemoveEmptyEntries)))
        {
            ids.Add(int.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out int id)
                ? id
                : throw new InvalidInputException("ids", part, "is not a whole number from 0 to 2147483647"));
        }

        return [.. ids];
    }
}
