using System.CommandLine;
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Cli;

/// <summary><c>skiff convert</c>: one form of a model to another.</summary>
internal static class ConvertVerb
{
    public static Verb Create()
    {
        Argument<string> model = Flags.Model();
        Argument<string> output = new("OUT") { Description = "A file ending in .gguf or .bin (llama2.c), or else a folder in Hugging Face layout." };
        Option<TensorType?> type = TypeFlag.Create("by default as they are");
        Option<string?> tokenizer = Flags.Text("--tokenizer", "PATH", "A tokenizer to put in, where the model has none or another is wanted.");
        Option<bool> fold = new("--fold-scales")
        {
            Description = "Work scale_emb, scale_depth and dim_model_base (a model trained with mup has them) into the weights, for forms and tools that know no such scales.",
        };
        Verb verb = new("convert", "Write a model as a folder, a GGUF file or a llama2.c checkpoint.")
        {
            Examples =
            [
                "skiff convert my-model my-model.gguf --type q8_0",
                "skiff convert model.gguf my-model --type bf16",
                "skiff convert stories260K.bin stories260K --tokenizer tok512.bin",
                "skiff convert runs/books/model books.gguf --fold-scales",
            ],
        };
        verb.Arguments.Add(model);
        verb.Arguments.Add(output);
        verb.Options.Add(type);
        verb.Options.Add(tokenizer);
        verb.Options.Add(fold);
        return verb.Runs((parse, stop) =>
        {
            string source = parse.GetValue(model)!, target = parse.GetValue(output)!;
            if (FullPath(source) == FullPath(target))
                throw new InvalidInputException(target, "OUT", "is the model itself; name another place");
            Model opened = Model.Open(source, parse.GetValue(tokenizer));
            if (parse.GetValue(fold))
                opened = ScaleFolding.Fold(opened);
            Save(opened, target, parse.GetValue(type), parse.InvocationConfiguration.Error, stop);
            return Program.Success;
        });
    }

    internal static string FullPath(string path) => Path.TrimEndingDirectorySeparator(Path.GetFullPath(path));

    /// <summary>Writes a model with progress on standard error.</summary>
    internal static void Save(Model model, string target, TensorType? type, TextWriter error, CancellationToken stop) =>
        Save(model, target, error, (progress, note) => ModelWriter.Write(model, target, type, progress, note), stop);

    /// <summary>The same by any writer, which tells how many values are written and what turns out otherwise than asked.</summary>
    internal static void Save(Model model, string target, TextWriter error, Action<Action<long>, Action<string>> write, CancellationToken stop)
    {
        using Progress progress = new(error, $"writing {Path.GetFileName(Path.TrimEndingDirectorySeparator(target))}", "values", model.Config.ParameterCount);
        write(done =>
        {
            stop.ThrowIfCancellationRequested();
            progress.Report(done);
        }, line => error.WriteLine($"skiff: note: {line}"));
    }
}
