// O outputs, I inputs, R rank
using System.Text.Json;
using System.Text.Json.Nodes;
using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>
/// Writes adapters in the form of Hugging Face's PEFT (see <see cref="LoraAdapter"/>). Where a family stores several adapted parameters
/// in one module, their As stand one below the other and each parameter's rows of B have its own columns: the same product. All
/// modules get the largest rank that comes of it, filled up with zeros, so that one r and one alpha hold for all.
/// </summary>
internal static class LoraAdapterWriter
{
    private static readonly JsonSerializerOptions s_indented = new() { WriteIndented = true };

    /// <summary>Writes the folder, whole or not at all.</summary>
    /// <param name="folder">Where to.</param>
    /// <param name="config">The base model.</param>
    /// <param name="baseModel">Where the base model lies, for whoever loads both.</param>
    /// <param name="rank">R of each adapter.</param>
    /// <param name="alpha">Their products are scaled by alpha / R.</param>
    /// <param name="adapter">The A [R, I] and B [O, R] of a parameter, single precision, or null where it has none.</param>
    public static void Write(string folder, ModelConfig config, string baseModel, int rank, double alpha, Func<Parameter, (Tensor Down, Tensor Up)?> adapter)
    {
        StoredTensor[] adapted = [.. config.Family.Tensors.Layout(config).Tensors.Where(stored => stored.Parts.Any(part => adapter(part.Parameter) is not null))];
        int widest = rank * adapted.Max(stored => stored.Parts.Count(part => adapter(part.Parameter) is not null));
        IEnumerable<TensorEntry> entries = adapted.SelectMany(stored => Entries(stored, rank, widest, adapter));
        JsonObject json = new()
        {
            ["base_model_name_or_path"] = baseModel,
            ["bias"] = "none",
            ["fan_in_fan_out"] = adapted.Any(stored => stored.Transposed),
            ["inference_mode"] = true,
            ["init_lora_weights"] = true,
            ["lora_alpha"] = alpha * widest / rank,
            ["lora_dropout"] = 0.0,
            ["modules_to_save"] = null,
            ["peft_type"] = "LORA",
            ["r"] = widest,
            ["target_modules"] = new JsonArray([.. adapted.Select(stored => (JsonNode)Target(stored, config)).DistinctBy(name => name.GetValue<string>())]),
            ["task_type"] = "CAUSAL_LM",
            ["use_dora"] = false,
            ["use_rslora"] = false,
        };
        AtomicFolder.Write(folder, place =>
        {
            SafetensorsWriter.Write(Path.Combine(place, LoraAdapter.FileName), entries);
            AtomicFile.WriteText(Path.Combine(place, LoraAdapterConfig.FileName), json.ToJsonString(s_indented) + "\n");
        });
    }

    // A module's name within its block: the same in all of them.
    private static string Target(StoredTensor stored, ModelConfig config) =>
        stored.Name[config.Family.Tensors.LayerPrefix.Replace("{l}", stored.Parts[0].Parameter.Layer.ToString()).Length..^LoraAdapter.Weight.Length];

    private static IEnumerable<TensorEntry> Entries(StoredTensor stored, int rank, int widest, Func<Parameter, (Tensor Down, Tensor Up)?> adapter)
    {
        string name = LoraAdapter.Prefix + stored.Name[..^LoraAdapter.Weight.Length];
        (Tensor Down, Tensor Up)?[] parts = [.. stored.Parts.Select(part => adapter(part.Parameter))];
        int[] columns = new int[parts.Length];
        for (int i = 1; i < parts.Length; i++)
            columns[i] = columns[i - 1] + (parts[i - 1] is null ? 0 : rank);
        long[] down = [widest, stored.Parts[0].Parameter.Columns], up = [stored.Parts.Sum(part => part.Parameter.Rows), widest];
        yield return new TensorEntry(name + LoraAdapter.Down, TensorType.F32, down, () => StackDown(parts, columns, down));
        yield return new TensorEntry(name + LoraAdapter.Up, TensorType.F32, up, () => StackUp(stored, parts, columns, up));
    }

    private static Tensor StackDown((Tensor Down, Tensor Up)?[] parts, int[] columns, long[] shape)
    {
        Tensor stacked = Tensor.Allocate(TensorType.F32, shape);
        for (int i = 0; i < parts.Length; i++)
            parts[i]?.Down.Floats().CopyTo(stacked.Floats()[(int)(columns[i] * shape[1])..]);
        return stacked;
    }

    private static Tensor StackUp(StoredTensor stored, (Tensor Down, Tensor Up)?[] parts, int[] columns, long[] shape)
    {
        Tensor stacked = Tensor.Allocate(TensorType.F32, shape);
        float[] row = new float[shape[1]];
        for (long r = 0; r < shape[0]; r++)
        {
            (int owner, long at) = stored.Locate(r);
            if (parts[owner] is not { } pair)
                continue;
            Array.Clear(row);
            pair.Up.ReadRow(at, row.AsSpan(columns[owner]));
            stacked.WriteRow(r, row);
        }

        return stacked;
    }
}
