using System.CommandLine;
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Cli;

/// <summary><c>skiff init</c>: an architecture with random weights.</summary>
internal static class InitVerb
{
    public static Verb Create()
    {
        Argument<string> architecture = new("ARCHITECTURE") { Description = "zoo:NAME (see 'skiff zoo'), a config.json, or a folder that holds one." };
        Argument<string> output = new("OUT") { Description = "A file ending in .gguf, or else a folder in Hugging Face layout." };
        Option<int?> seed = Flags.Whole("--seed", "Seed of the random weights; the same seed gives the same weights. Default 0.");
        Option<TensorType?> type = TypeFlag.Create("by default f32");
        Verb verb = new("init", "Write a model with random weights and a byte-level tokenizer, to load, time or train.")
        {
            Examples =
            [
                "skiff init zoo:smollm2-135m smollm2.gguf --type q8_0",
                "skiff init zoo:pythia-14m pythia --seed 1",
            ],
        };
        verb.Arguments.Add(architecture);
        verb.Arguments.Add(output);
        verb.Options.Add(seed);
        verb.Options.Add(type);
        return verb.Runs((parse, stop) =>
        {
            string name = parse.GetValue(architecture)!;
            TensorType stored = parse.GetValue(type) ?? TensorType.F32;
            Model model = RandomModel.Create(name, Model.OpenConfig(name), parse.GetValue(seed) ?? 0, stored);
            ConvertVerb.Save(model, parse.GetValue(output)!, stored, parse.InvocationConfiguration.Error, stop);
            return Program.Success;
        });
    }
}
