using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>Writes a model as a folder, a GGUF file or a llama2.c checkpoint. Each is there whole or not at all.</summary>
public static class ModelWriter
{
    private const long ValuesHeld = 1 << 26;
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    /// <summary>Writes by the ending of <paramref name="path"/>: <c>.gguf</c>, <c>.bin</c> (llama2.c), or a folder in Hugging Face layout.</summary>
    /// <param name="model">The model.</param>
    /// <param name="path">File or folder.</param>
    /// <param name="type">How matrices are stored; by default as they are. Rows that fill no blocks fall back to a type that fits.</param>
    /// <param name="progress">Told, after each tensor, how many values are written.</param>
    /// <param name="note">Told, before anything is written, what turns out otherwise than asked; a line each.</param>
    /// <exception cref="InvalidInputException">The target cannot hold this model or type; names the trait.</exception>
    public static void Write(Model model, string path, TensorType? type = null, Action<long>? progress = null, Action<string>? note = null)
    {
        if (path.EndsWith(".gguf", StringComparison.OrdinalIgnoreCase))
            WriteGguf(model, path, stored => type ?? model.TypeOf(stored.Parts[0].Parameter.Name), GgufFileType(type ?? model.Type), null, progress, note);
        else if (path.EndsWith(".bin", StringComparison.OrdinalIgnoreCase))
            WriteLlama2c(model, path, type, progress);
        else
            WriteFolder(model, path, type, progress);
    }

    /// <summary>Writes a GGUF file in one of llama.cpp's mixtures of number types.</summary>
    /// <param name="model">The model.</param>
    /// <param name="path">A file ending in <c>.gguf</c>.</param>
    /// <param name="mix">Which matrix gets which type.</param>
    /// <param name="importance">Where rounding hurts least, of this model; without it every weight counts by its own size.</param>
    /// <param name="progress">Told, after each tensor, how many values are written.</param>
    /// <param name="note">Told, before anything is written, what turns out otherwise than asked; a line each.</param>
    /// <exception cref="InvalidInputException">The file cannot hold this model; names the trait.</exception>
    public static void Write(
        Model model, string path, QuantizationMix mix, ImportanceMatrix? importance = null, Action<long>? progress = null, Action<string>? note = null)
    {
        if (!path.EndsWith(".gguf", StringComparison.OrdinalIgnoreCase))
            throw new InvalidInputException(path, "output", $"only a GGUF file holds {mix.Name}: name a file ending in .gguf");
        if (model.Type.IsQuantized())
            note?.Invoke($"{model.Path} is quantized already ({model.Type.Name()}): what its numbers have lost stays lost");
        WriteGguf(model, path, mix.TypesOf(model.Config), mix.FileType, importance, progress, note);
    }

    /// <summary>Writes a GGUF file of a model whose matrices have the types that they are to have, each its own.</summary>
    /// <inheritdoc cref="Write(Model, string, QuantizationMix, ImportanceMatrix?, Action{long}?, Action{string}?)"/>
    internal static void WriteMixed(Model model, string path, QuantizationMix nearest, Action<long>? progress = null, Action<string>? note = null)
    {
        if (!path.EndsWith(".gguf", StringComparison.OrdinalIgnoreCase))
            throw new InvalidInputException(path, "output", "only a GGUF file holds a mixture: name a file ending in .gguf");
        WriteGguf(model, path, stored => model.TypeOf(stored.Parts[0].Parameter.Name), nearest.FileType, null, progress, note);
    }

    private static IReadOnlyList<TensorEntry> Counted(Model model, IReadOnlyList<TensorEntry> entries, Action<long>? progress)
    {
        long done = 0, forgotten = 0;
        return [.. entries.Select(entry => entry with
        {
            Load = () =>
            {
                // What is written is not read again: a file larger than the memory passes through a small part of it.
                if (done - forgotten > ValuesHeld)
                {
                    model.Forget();
                    forgotten = done;
                }

                Tensor tensor = entry.Load();
                progress?.Invoke(done += tensor.Count);
                return tensor;
            },
        })];
    }

    private static void WriteFolder(Model model, string folder, TensorType? type, Action<long>? progress)
    {
        if (type is { } asked && asked is not (TensorType.F32 or TensorType.F16 or TensorType.BF16 or TensorType.F64))
            throw new InvalidInputException("--type", asked.Name(), "a model folder holds f64, f32, f16 or bf16; write a .gguf file for quantized types");
        TensorType target = type ?? (model.Type.IsQuantized() ? TensorType.F32 : model.Type);
        if (File.Exists(folder))
            throw new InvalidInputException(folder, "output", "is a file; name a folder, or a file ending in .gguf or .bin");
        JsonObject config = (JsonObject)model.Config.Source.DeepClone();
        config["torch_dtype"] = target switch { TensorType.F64 => "float64", TensorType.F16 => "float16", TensorType.BF16 => "bfloat16", _ => "float32" };
        IReadOnlyList<TensorEntry> entries = TensorAssembly.Entries(model.Config.Family.Tensors.Layout(model.Config), _ => target, model.Parameter);
        AtomicFolder.Write(folder, place =>
        {
            if (model.HasTokenizer)
                model.Tokenizer.Save(place);
            SafetensorsWriter.WriteFolder(place, Counted(model, entries, progress));
            AtomicFile.WriteText(Path.Combine(place, "generation_config.json"), GenerationConfig(model).ToJsonString(Indented) + "\n");
            AtomicFile.WriteText(Path.Combine(place, "config.json"), config.ToJsonString(Indented) + "\n");
        });
    }

    // What came with the model is kept; a GGUF or llama2.c file becomes the few lines that other tools look for.
    private static JsonObject GenerationConfig(Model model)
    {
        JsonObject json = (JsonObject?)model.Generation?.DeepClone() ?? [];
        if (!json.ContainsKey("bos_token_id") && model.HasTokenizer && model.Tokenizer.BosId is { } begin)
            json["bos_token_id"] = begin;
        IReadOnlyList<int> ends = model.EndIds;
        if (ends.Count > 0)
            json["eos_token_id"] = ends.Count == 1 ? ends[0] : new JsonArray([.. ends.Select(id => (JsonNode)id)]);
        return json;
    }

    private static void WriteGguf(Model model, string path, Func<StoredTensor, TensorType> wanted, uint fileType, ImportanceMatrix? importance, Action<long>? progress, Action<string>? note)
    {
        LlamaCppLimits.Refuse(model.Config, path);
        if (Directory.Exists(path))
            throw new InvalidInputException(path, "output", "is a folder; name a file");
        GgufMetadata metadata = new();
        GgufConfigWriter.Write(metadata, model.Config, NameOf(model));
        TensorLayout layout = GgufLayout.Of(model.Config);
        IReadOnlyList<TensorEntry> tensors =
        [
            .. GgufConfigWriter.RopeTensors(model.Config),
            .. TensorAssembly.Entries(layout, stored => GgufTypeOf(stored, wanted), model.Parameter, importance is null ? null : importance.WeightsOf),
        ];
        ConfigDifference.Refuse(model.Config, GgufConfigReader.Read(metadata, tensors.ToDictionary(t => t.Name), path), path, "GGUF");
        metadata.Add("general.file_type", fileType);
        metadata.Add("general.quantization_version", 2u);
        if (model.HasTokenizer)
        {
            model.Tokenizer.WriteGguf(metadata, model.Config.VocabSize);
            int[] turnEnds = [.. model.EndIds.Where(id => id != model.Tokenizer.EosId)];
            if (turnEnds.Length > 0)
                metadata.Add("tokenizer.ggml.eot_token_id", (uint)turnEnds[0]);
        }
        else
            metadata.Add("tokenizer.ggml.model", "none");
        foreach (string line in LlamaCppLimits.Notes(model.Config).Concat(FallbackNotes(layout, wanted)))
            note?.Invoke(line);
        GgufWriter.Write(path, metadata, Counted(model, tensors, progress));
    }

    private static readonly string[] s_phi3Tokens = ["</s>", "<unk>", "<s>", "<|endoftext|>"];

    // To llama.cpp, "phi-3" in a name means that these tokens are there, and a file without them does not load.
    private static string NameOf(Model model)
    {
        string name = Path.GetFileName(Path.TrimEndingDirectorySeparator(model.Path)).Replace(Zoo.Prefix, "");
        bool asPublished = model.HasTokenizer && s_phi3Tokens.All(token => model.Tokenizer.IdOf(token) is not null);
        return asPublished ? name : Regex.Replace(name, "phi-?3", "phi_3", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant);
    }

    // llama.cpp's quantizer says the same of each tensor; one line a type is enough.
    private static IEnumerable<string> FallbackNotes(TensorLayout layout, Func<StoredTensor, TensorType> wanted) => layout.Tensors
        .Where(t => t.Parts[0].Parameter.IsMatrix)
        .Select(t => (t.Name, Wanted: wanted(t), Taken: GgufTypeOf(t, wanted), Columns: t.Shape[^1]))
        .Where(t => t.Taken != t.Wanted)
        .GroupBy(t => (t.Wanted, t.Taken, t.Columns))
        .Select(group => $"{group.Count()} tensors ({Modules(group.Select(t => t.Name))}) are {group.Key.Taken.Name()}: rows of {group.Key.Columns} values do not fill {group.Key.Wanted.Name()}'s blocks of {group.Key.Wanted.BlockLength()}");

    // blk.3.attn_q.weight counts as attn_q.
    private static string Modules(IEnumerable<string> names) =>
        string.Join(", ", names.Select(name => name.Split('.')).Select(parts => parts[0] == "blk" ? parts[2] : parts[0]).Distinct());

    // llama.cpp wants vectors, positions, routers and convolutions in single precision.
    private static TensorType GgufTypeOf(StoredTensor stored, Func<StoredTensor, TensorType> wanted) =>
        stored.Parts[0].Parameter.IsMatrix ? Fitting(wanted(stored), stored.Shape[^1]) : TensorType.F32;

    /// <summary>The wanted type, or the nearest one whose blocks fill a row of this length.</summary>
    internal static TensorType Fitting(TensorType wanted, long columns)
    {
        if (columns % wanted.BlockLength() == 0)
            return wanted;
        TensorType smaller = wanted switch
        {
            TensorType.Q4_K => TensorType.Q5_0,
            TensorType.Q5_K => TensorType.Q5_1,
            TensorType.Q6_K => TensorType.Q8_0,
            _ => TensorType.F16,
        };
        return columns % smaller.BlockLength() == 0 ? smaller : TensorType.F16;
    }

    // The numbers of llama.cpp's llama_ftype.
    private static uint GgufFileType(TensorType type) => type switch
    {
        TensorType.F16 => 1,
        TensorType.Q4_0 => 2,
        TensorType.Q4_1 => 3,
        TensorType.Q8_0 => 7,
        TensorType.Q5_0 => 8,
        TensorType.Q5_1 => 9,
        TensorType.Q4_K => 14,
        TensorType.Q5_K => 16,
        TensorType.Q6_K => 18,
        TensorType.BF16 => 32,
        _ => 0,
    };

    private static void WriteLlama2c(Model model, string path, TensorType? type, Action<long>? progress)
    {
        if (type is not (null or TensorType.F32))
            throw new InvalidInputException("--type", type.Value.Name(), "a llama2.c file holds f32");
        Llama2cHeader header = Llama2cTensors.HeaderOf(model.Config, path);
        Dictionary<string, TensorEntry> entries = TensorAssembly.Entries(Llama2cTensors.Layout(model.Config), _ => TensorType.F32, model.Parameter).ToDictionary(e => e.Name);
        long done = 0;
        Llama2cWriter.Write(path, header, version: 0, name =>
        {
            Tensor tensor = entries[name].Load();
            progress?.Invoke(done += tensor.Count);
            return tensor;
        });
    }
}
