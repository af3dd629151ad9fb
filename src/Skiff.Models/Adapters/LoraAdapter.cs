// O outputs, I inputs, R rank
using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>
/// A LoRA adapter's folder in the form of Hugging Face's PEFT: <c>adapter_config.json</c> and <c>adapter_model.safetensors</c>, whose
/// tensors are <c>base_model.model.MODULE.lora_A.weight</c> [R, I] and <c>lora_B</c> [O, R], with the modules' names in Hugging Face's
/// model. A module that holds several parameters, such as <c>qkv_proj</c>, gives each its rows of B.
/// </summary>
public sealed class LoraAdapter
{
    internal const string FileName = "adapter_model.safetensors", Prefix = "base_model.model.", Down = ".lora_A.weight", Up = ".lora_B.weight", Weight = ".weight";

    private const int LongestConfig = 1 << 20;

    private readonly Dictionary<string, Pair> _byParameter = [];

    private LoraAdapter()
    {
    }

    /// <summary>A model with the adapter worked into its matrices, each made when it is asked for; all else is the model's.</summary>
    /// <param name="model">The base model, in any form.</param>
    /// <param name="path">The adapter's folder.</param>
    /// <exception cref="InvalidInputException">The adapter does not fit the model, or holds what cannot be merged; names the key or tensor.</exception>
    public static Model Merge(Model model, string path)
    {
        LoraAdapter adapter = Open(path, model.Config);
        return model.With(name => adapter._byParameter.TryGetValue(name, out Pair? pair) ? pair.AddTo(model.Parameter(name), name) : model.Parameter(name));
    }

    private static LoraAdapter Open(string path, ModelConfig config)
    {
        string configFile = Path.Combine(path, LoraAdapterConfig.FileName), file = Path.Combine(path, FileName);
        if (!File.Exists(configFile))
            throw new InvalidInputException(path, LoraAdapterConfig.FileName, "not found; an adapter is a folder with this file and adapter_model.safetensors, such as RUN/adapter");
        if (!File.Exists(file))
            throw new InvalidInputException(path, FileName, "not found; an adapter in another form must be saved as safetensors first");
        LoraAdapterConfig lora = ReadConfig(configFile);
        Dictionary<string, StoredTensor> modules = config.Family.Tensors.Layout(config).Tensors
            .Where(stored => stored.Name.EndsWith(Weight, StringComparison.Ordinal) && stored.Parts.All(IsLinear))
            .ToDictionary(stored => stored.Name[..^Weight.Length]);
        IReadOnlyDictionary<string, Tensor> tensors = SafetensorsFile.Open(file).Tensors;
        LoraAdapter adapter = new();
        foreach (string name in tensors.Keys)
        {
            string module = ModuleOf(name, file);
            if (!modules.TryGetValue(module, out StoredTensor? stored))
                throw new InvalidInputException(file, name, Missing(module, config));
            if (!tensors.TryGetValue(Prefix + module + Down, out Tensor? down) || !tensors.TryGetValue(Prefix + module + Up, out Tensor? up))
                throw new InvalidInputException(file, name, "its other half, lora_A or lora_B, is missing");
            Check(stored, name, down, up, lora.RankOf(module), file);
            Pair pair = new(stored, down, up, lora.ScaleOf(module));
            foreach (StoredPart part in stored.Parts)
                adapter._byParameter[part.Parameter.Name] = pair;
        }

        return adapter._byParameter.Count > 0 ? adapter : throw new InvalidInputException(file, "tensors", "there are none: the adapter is empty");
    }

    private static LoraAdapterConfig ReadConfig(string file)
    {
        using MappedFile mapped = MappedFile.Open(file);
        if (mapped.Length > LongestConfig)
            throw new InvalidInputException(file, "file", "is over 1 MiB; no such file is");
        return LoraAdapterConfig.Parse(mapped.Span(0, (int)mapped.Length), file);
    }

    private static bool IsLinear(StoredPart part) =>
        part.Parameter is { Kind: "weight", Shape.Length: 2 } p && p.Module is not ("embedding" or "position_embedding");

    private static string ModuleOf(string name, string file)
    {
        if (!name.EndsWith(Down, StringComparison.Ordinal) && !name.EndsWith(Up, StringComparison.Ordinal))
            throw new InvalidInputException(file, name, "is no lora_A or lora_B of a linear module; embeddings, biases and modules trained whole are not merged: merge it with PEFT");
        return name.StartsWith(Prefix, StringComparison.Ordinal) && name.Length > Prefix.Length + Down.Length
            ? name[Prefix.Length..^Down.Length]
            : throw new InvalidInputException(file, name, $"does not begin with {Prefix}: it is no adapter of a whole language model in PEFT's form");
    }

    private static string Missing(string module, ModelConfig config) => config.TieWordEmbeddings && module == config.Family.Tensors.Modules["head"]
        ? "the model's head is its embedding table, which the adapter would change as well: it cannot be merged"
        : $"the model has no linear module '{module}': the adapter is for another model";

    private static void Check(StoredTensor stored, string name, Tensor down, Tensor up, double rank, string file)
    {
        long outputs = stored.Parts.Sum(part => part.Parameter.Rows), inputs = stored.Parts[0].Parameter.Columns;
        foreach ((Tensor tensor, long rows, long columns) in new[] { (down, (long)rank, inputs), (up, outputs, (long)rank) })
        {
            if (tensor.Type is not (TensorType.F64 or TensorType.F32 or TensorType.F16 or TensorType.BF16))
                throw new InvalidInputException(file, name, $"its numbers are {tensor.Type.Name()}, not f64, f32, f16 or bf16");
            if (rank != (long)rank || !tensor.Shape.SequenceEqual([rows, columns]))
                throw new InvalidInputException(file, name, $"its pair has a matrix [{string.Join(", ", tensor.Shape)}]; the rank of {rank} and the model make it [{rows}, {columns}]");
        }
    }

    private sealed record Pair(StoredTensor Stored, Tensor A, Tensor B, double Scale)
    {
        // The rows of B that are this parameter's, in the parameter's order.
        public Tensor AddTo(Tensor weight, string parameter)
        {
            int part = Array.FindIndex(Stored.Parts, p => p.Parameter.Name == parameter), rank = B.Columns;
            Tensor up = Tensor.AllocateRaw(TensorType.F32, Stored.Parts[part].Parameter.Rows, rank);
            float[] row = new float[rank];
            for (long r = 0; r < B.Rows; r++)
            {
                (int owner, long at) = Stored.Locate(r);
                if (owner != part)
                    continue;
                B.ReadRow(r, row);
                up.WriteRow(at, row);
            }

            return LowRankUpdate.Add(weight, up, A.ConvertTo(TensorType.F32), Scale);
        }
    }
}
