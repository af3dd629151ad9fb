using System.CommandLine;
using System.Text;
using System.Text.Json;
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Cli;

/// <summary><c>skiff tokenize</c>: the ids of texts.</summary>
internal static class TokenizeVerb
{
    public static Verb Create()
    {
        Argument<string> path = Source();
        Argument<string?> text = new("TEXT")
        {
            Description = "The text; without it and --jsonl, all of standard input, its last line end included.",
            Arity = ArgumentArity.ZeroOrOne,
        };
        Option<string?> jsonl = Flags.Text("--jsonl", "FILE", "Texts, plain or gzip, '-' for standard input: a line is {\"text\": ...}, and comes out as {\"ids\": [...]}.");
        Option<bool> plain = new("--no-special") { Description = "Leave out the special tokens around a text, such as BOS; those written in the text still count." };
        Option<bool> json = Flags.Json("Print the ids and their tokens as JSON.");
        Verb verb = new("tokenize", "Turn text into token ids.")
        {
            Examples =
            [
                "skiff tokenize my-model \"Once upon a time\"",
                "skiff tokenize tokenizer.json --jsonl stories.jsonl.gz --no-special > ids.jsonl",
            ],
        };
        verb.Arguments.Add(path);
        verb.Arguments.Add(text);
        foreach (Option option in new Option[] { jsonl, plain, json })
            verb.Options.Add(option);
        verb.Validators.Add(result =>
        {
            if (result.GetValue(text) is not null && result.GetValue(jsonl) is not null)
                result.AddError("give either TEXT or --jsonl");
        });
        return verb.Runs((parse, stop) =>
        {
            Tokenizer tokenizer = Open(parse.GetValue(path)!);
            TextWriter output = parse.InvocationConfiguration.Output;
            bool special = !parse.GetValue(plain);
            if (parse.GetValue(jsonl) is not { } file)
            {
                int[] ids = tokenizer.Encode(parse.GetValue(text) ?? StandardInput(), special);
                if (parse.GetValue(json))
                    WriteJson(output, ids, tokenizer);
                else
                    output.WriteLine(string.Join(' ', ids));
                return Program.Success;
            }

            using JsonLines lines = JsonLines.Open(file);
            while (lines.Next() is { } line)
            {
                stop.ThrowIfCancellationRequested();
                if (!line.TryGetProperty("text", out JsonElement value))
                    throw new InvalidInputException(lines.Source, "text", "is missing");
                WriteJson(output, tokenizer.Encode(ScoreVerb.Text(value, lines.Source), special), parse.GetValue(json) ? tokenizer : null);
            }

            return Program.Success;
        });
    }

    /// <summary>The argument that names a tokenizer or a model with one.</summary>
    public static Argument<string> Source() => new("TOKENIZER")
    {
        Description = "A model folder, a .gguf file, tokenizer.json, a SentencePiece or tiktoken .model, or a llama2.c .bin file.",
    };

    /// <summary>The tokenizer of a path: its own, or that of the model it holds.</summary>
    /// <exception cref="InvalidInputException">The path holds neither.</exception>
    public static Tokenizer Open(string path)
    {
        try
        {
            return Tokenizer.Load(path);
        }
        catch (InvalidInputException) when (File.Exists(path) && Path.GetExtension(path) == ".bin")
        {
            // A llama2.c checkpoint: its tokenizer is the one beside it.
            return Model.Open(path).Tokenizer;
        }
    }

    /// <summary>All of standard input.</summary>
    /// <exception cref="InvalidInputException">It is not UTF-8.</exception>
    public static string StandardInput()
    {
        try
        {
            using StreamReader reader = new(Console.OpenStandardInput(), new UTF8Encoding(false, throwOnInvalidBytes: true));
            return reader.ReadToEnd();
        }
        catch (DecoderFallbackException e)
        {
            throw new InvalidInputException("standard input", "text", "is not UTF-8", e);
        }
    }

    // The tokens are as the vocabulary writes them, with marks or stand-ins for spaces and bytes.
    private static void WriteJson(TextWriter output, int[] ids, Tokenizer? tokenizer) => Output.Json(output, json =>
    {
        json.WriteStartArray("ids");
        foreach (int id in ids)
            json.WriteNumberValue(id);
        json.WriteEndArray();
        if (tokenizer is null)
            return;
        json.WriteStartArray("tokens");
        foreach (int id in ids)
            json.WriteStringValue(tokenizer.TextOf(id));
        json.WriteEndArray();
    });
}
