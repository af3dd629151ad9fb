using System.CommandLine;
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
        Verb verb = new("quantize", "Write a model as a GGUF file with llama.cpp's mixtures of number types.")
        {
            Examples =
            [
                "skiff quantize my-model my-model-q4_k_m.gguf --type q4_k_m",
                "skiff quantize zoo:smollm2-135m smollm2.gguf --type q8_0",
            ],
        };
        verb.Arguments.Add(model);
        verb.Arguments.Add(output);
        verb.Options.Add(type);
        verb.Options.Add(tokenizer);
        return verb.Runs((parse, stop) =>
        {
            string source = parse.GetValue(model)!, target = parse.GetValue(output)!;
            if (ConvertVerb.FullPath(source) == ConvertVerb.FullPath(target))
                throw new InvalidInputException(target, "OUT", "is the model itself; name another place");
            Model opened = Model.Open(source, parse.GetValue(tokenizer));
            QuantizationMix mix = parse.GetValue(type)!;
            ConvertVerb.Save(opened, target, parse.InvocationConfiguration.Error, (progress, note) => ModelWriter.Write(opened, target, mix, progress, note), stop);
            return Program.Success;
        });
    }
}
