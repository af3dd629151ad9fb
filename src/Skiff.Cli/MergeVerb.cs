using System.CommandLine;
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Cli;

/// <summary><c>skiff merge</c>: a model and an adapter to one model.</summary>
internal static class MergeVerb
{
    public static Verb Create()
    {
        Argument<string> model = Flags.Model();
        Argument<string> adapter = new("ADAPTER") { Description = "A LoRA adapter in PEFT's form, such as RUN/adapter: a folder with adapter_config.json and adapter_model.safetensors." };
        Argument<string> output = new("OUT") { Description = "A file ending in .gguf or .bin (llama2.c), or else a folder in Hugging Face layout." };
        Option<TensorType?> type = TypeFlag.Create("by default as the model's are");
        Option<string?> tokenizer = Flags.Text("--tokenizer", "PATH", "A tokenizer to put in, where the model has none or the adapter came with its own.");
        Verb verb = new("merge", "Work a LoRA adapter into its base model.")
        {
            Examples =
            [
                "skiff merge smollm2 runs/finetune-lora/adapter smollm2-tuned",
                "skiff merge smollm2 runs/finetune-lora/adapter tuned.gguf --type q8_0",
            ],
        };
        verb.Arguments.Add(model);
        verb.Arguments.Add(adapter);
        verb.Arguments.Add(output);
        verb.Options.Add(type);
        verb.Options.Add(tokenizer);
        return verb.Runs((parse, stop) =>
        {
            string source = parse.GetValue(model)!, addition = parse.GetValue(adapter)!, target = parse.GetValue(output)!;
            if (ConvertVerb.FullPath(target) is var full && (full == ConvertVerb.FullPath(source) || full == ConvertVerb.FullPath(addition)))
                throw new InvalidInputException(target, "OUT", "is the model or the adapter itself; name another place");
            Model merged = LoraAdapter.Merge(Model.Open(source, parse.GetValue(tokenizer)), addition);
            ConvertVerb.Save(merged, target, parse.GetValue(type), parse.InvocationConfiguration.Error, stop);
            return Program.Success;
        });
    }
}
