using System.CommandLine;
using Skiff.Compression;
using Skiff.Inference;
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Cli;

/// <summary><c>skiff quantize</c>: a GGUF file in one of llama.cpp's mixtures.</summary>
internal static class QuantizeVerb
{
    public static Verb Create()
    {
        string names = string.Join(", ", QuantizationMix.All.Select(m => m.Name));
        Argument<string> model = new("MODEL") { Description = "A model folder, a .gguf or llama2.c .bin file, or zoo:NAME for random weights." };
        Argument<string> output = new("OUT") { Description = "A file ending in .gguf." };
        Option<QuantizationMix?> type = new("--type")
        {
            Description = $"{names}. As in llama.cpp, the head gets more bits, and with _s and _m so do some blocks' values and down projections; 'skiff convert --type' gives all matrices one type.",
            HelpName = "TYPE",
            Required = true,
            CustomParser = result =>
            {
                string text = result.Tokens[^1].Value;
                QuantizationMix? mix = QuantizationMix.All.FirstOrDefault(m => m.Name.Equals(text, StringComparison.OrdinalIgnoreCase));
                if (mix is null)
                    result.AddError($"--type takes one of {names}, not '{text}'");
                return mix;
            },
        };
        Option<string?> tokenizer = Flags.Text("--tokenizer", "PATH", "A tokenizer that is not the model's own.");
        Option<string?> text = Flags.Text("--imatrix-text", "FILE", "A text, .txt or .jsonl, also .gz, of the kind the model is for: weights whose inputs are larger on it are rounded more carefully.");
        Option<string?> saved = Flags.Text("--imatrix", "FILE", "The same from an importance matrix that --imatrix-out or llama.cpp's llama-imatrix wrote for this model.");
        Option<string?> kept = Flags.Text("--imatrix-out", "FILE", "With --imatrix-text: keep the importance matrix, a .gguf file that llama.cpp takes too.");
        Option<string?> gptq = Flags.Text("--gptq", "FILE", "Such a text too: weights are rounded one after the other, and those behind make up for what a rounding changes in the outputs (GPTQ). Slower, and closer to the model.");
        Option<string?> awq = Flags.Text("--awq", "FILE", "Such a text too: inputs that are large on it first get larger weights, and what feeds them is divided by as much, which changes no output but by the rounding (AWQ). Goes with --gptq.");
        Option<long?> size = Flags.Bytes("--size", "With --gptq: bytes that the matrices may take. Each gets its own type, so that the predictions stay nearest; --type is then the name in the file.");
        Verb verb = new("quantize", "Write a model as a GGUF file with llama.cpp's mixtures of number types.")
        {
            Examples =
            [
                "skiff quantize my-model my-model-q4_k_m.gguf --type q4_k_m",
                "skiff quantize my-model my-model-q4_0.gguf --type q4_0 --imatrix-text sample.txt --imatrix-out my-model-imatrix.gguf",
                "skiff quantize my-model my-model-q4_k_m.gguf --type q4_k_m --gptq sample.jsonl",
                "skiff quantize my-model my-model-80m.gguf --type q4_k_m --gptq sample.jsonl --size 80M",
                "skiff quantize zoo:smollm2-135m smollm2.gguf --type q8_0",
            ],
        };
        verb.Arguments.Add(model);
        verb.Arguments.Add(output);
        foreach (Option option in new Option[] { type, text, saved, kept, gptq, awq, size, tokenizer })
            verb.Options.Add(option);
        verb.Validators.Add(result =>
        {
            if (result.GetValue(text) is not null && result.GetValue(saved) is not null)
                result.AddError("--imatrix-text and --imatrix exclude each other");
            if (result.GetValue(gptq) is not null && (result.GetValue(text) ?? result.GetValue(saved)) is not null)
                result.AddError("--gptq and an importance matrix exclude each other");
            if (result.GetValue(awq) is not null && result.GetValue(saved) is not null)
                result.AddError("--awq changes the inputs that --imatrix was made of: give --imatrix-text");
            if (result.GetValue(size) is not null && result.GetValue(gptq) is null)
                result.AddError("--size needs --gptq");
            if (result.GetValue(kept) is not null && result.GetValue(text) is null)
                result.AddError("--imatrix-out needs --imatrix-text");
        });
        return verb.Computes((parse, stop) =>
        {
            string source = parse.GetValue(model)!, target = parse.GetValue(output)!;
            if (ConvertVerb.FullPath(source) == ConvertVerb.FullPath(target))
                throw new InvalidInputException(target, "OUT", "is the model itself; name another place");
            if (parse.GetValue(kept) is { } matrix && ConvertVerb.FullPath(matrix) is { } path && (path == ConvertVerb.FullPath(source) || path == ConvertVerb.FullPath(target)))
                throw new InvalidInputException(matrix, "--imatrix-out", "is a model's file; name another place");
            Model opened = Model.Open(source, parse.GetValue(tokenizer));
            QuantizationMix mix = parse.GetValue(type)!;
            TextWriter error = parse.InvocationConfiguration.Error;
            if (parse.GetValue(awq) is { } seen)
                opened = Progress.During(error, "reading the sample", "pieces", told => ActivationScaling.Of(opened, mix, seen, (done, all) => told(done, all), stop));
            if (parse.GetValue(gptq) is { } read)
            {
                Model rounded = Round(opened, mix, read, parse.GetValue(size), error, stop);
                ConvertVerb.Save(rounded, target, error, (progress, note) => ModelWriter.WriteMixed(rounded, target, mix, progress, note), stop);
                return Program.Success;
            }

            ImportanceMatrix? importance = parse.GetValue(saved) is { } file ? ImportanceMatrix.Read(file, opened.Config)
                : parse.GetValue(text) is { } sample ? Collect(opened, sample, parse.GetValue(kept), error, stop) : null;
            ConvertVerb.Save(opened, target, error, (progress, note) => ModelWriter.Write(opened, target, mix, importance, progress, note), stop);
            return Program.Success;
        });
    }

    private static Model Round(Model model, QuantizationMix mix, string text, long? size, TextWriter error, CancellationToken stop)
    {
        GptqRounding rounding = Progress.During(error, "reading the sample", "pieces", told => GptqRounding.Of(model, text, (done, all) => told(done, all), stop));
        IReadOnlyDictionary<string, TensorType>? types = size is { } bytes
            ? Progress.During(error, "choosing types", "trials", told => MixedTypes.Choose(rounding, bytes, text, (done, all) => told(done, all), stop))
            : null;
        return Progress.During(error, "rounding", "matrices", told => types is null ? rounding.As(mix, (done, all) => told(done, all), stop) : rounding.As(types, (done, all) => told(done, all), stop));
    }

    private static ImportanceMatrix Collect(Model model, string text, string? kept, TextWriter error, CancellationToken stop)
    {
        ImportanceMatrix matrix = Progress.During(error, "reading the sample", "tokens", told => ImportanceCollector.Collect(model, text, told, stop));
        if (kept is not null)
            matrix.Write(kept, model.Config, Path.GetFileName(text), ImportanceCollector.ChunkOf(model.Config));
        return matrix;
    }
}
