using System.CommandLine;
using Skiff.Compression;
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Cli;

/// <summary><c>skiff merge</c>: a model and an adapter, or two models, to one model.</summary>
internal static class MergeVerb
{
    public static Verb Create()
    {
        Argument<string> model = Flags.Model();
        Argument<string> adapter = new("OTHER") { Description = "A LoRA adapter in PEFT's form, such as RUN/adapter (a folder with adapter_config.json and adapter_model.safetensors), or a model of the same shape." };
        Argument<string> output = new("OUT") { Description = "A file ending in .gguf or .bin (llama2.c), or else a folder in Hugging Face layout." };
        Option<TensorType?> type = TypeFlag.Create("by default as the model's are");
        Option<string?> tokenizer = Flags.Text("--tokenizer", "PATH", "A tokenizer to put in, where the model has none or the adapter came with its own.");
        Option<string?> method = Flags.Text("--method", "linear|slerp|task", "How two models are merged: on the line between them [default], along the arc, or by adding what both have moved from --base.");
        Option<double?> weight = Flags.Real("--weight", "How much of the other model, with task how much of both [default: 0.5, with task 1].");
        Option<string?> common = Flags.Text("--base", "MODEL", "What both models were trained from, for --method task.");
        Verb verb = new("merge", "Work a LoRA adapter into its base model, or merge two models of one shape.")
        {
            Examples =
            [
                "skiff merge smollm2 runs/finetune-lora/adapter smollm2-tuned",
                "skiff merge smollm2 runs/finetune-lora/adapter tuned.gguf --type q8_0",
                "skiff merge tuned-on-books tuned-on-chats both --method slerp --weight 0.4",
            ],
        };
        verb.Arguments.Add(model);
        verb.Arguments.Add(adapter);
        verb.Arguments.Add(output);
        foreach (Option option in new Option[] { method, weight, common, type, tokenizer })
            verb.Options.Add(option);
        return verb.Runs((parse, stop) =>
        {
            string source = parse.GetValue(model)!, addition = parse.GetValue(adapter)!, target = parse.GetValue(output)!;
            if (ConvertVerb.FullPath(target) is var full && (full == ConvertVerb.FullPath(source) || full == ConvertVerb.FullPath(addition)))
                throw new InvalidInputException(target, "OUT", "is the model or the adapter itself; name another place");
            Model opened = Model.Open(source, parse.GetValue(tokenizer));
            bool adapts = File.Exists(Path.Combine(addition, "adapter_config.json"));
            if (adapts && (parse.GetValue(method) is not null || parse.GetValue(weight) is not null || parse.GetValue(common) is not null))
                throw new InvalidInputException(addition, "--method, --weight, --base", "are for two models, and this is an adapter: leave them out");
            MergeMethod how = parse.GetValue(method) switch
            {
                null or "linear" => MergeMethod.Linear,
                "slerp" => MergeMethod.Slerp,
                "task" => MergeMethod.Task,
                var other => throw new InvalidInputException("skiff merge", "--method", $"takes linear, slerp or task, not '{other}'"),
            };
            Model merged = adapts ? LoraAdapter.Merge(opened, addition)
                : MergedModel.Of(opened, Model.Open(addition), how, parse.GetValue(weight) ?? (how == MergeMethod.Task ? 1 : 0.5), parse.GetValue(common) is { } start ? Model.Open(start) : null);
            ConvertVerb.Save(merged, target, parse.GetValue(type), parse.InvocationConfiguration.Error, stop);
            return Program.Success;
        });
    }
}
