using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>
/// llama.cpp's names for how the matrices of a file are stored. Quantized files give the head more bits, and the <c>_s</c> and <c>_m</c> mixtures
/// also those matrices of some blocks that suffer most. Source: src/llama-quant.cpp of ggml-org/llama.cpp, as of September 2026, without
/// importance matrix and without its exception for models of 70B.
/// </summary>
public sealed class QuantizationMix
{
    // llama.cpp's llama_ftype.
    private const uint SmallQ4 = 14, MiddleQ4 = 15, SmallQ5 = 16, MiddleQ5 = 17;

    private QuantizationMix(string name, TensorType type, uint fileType) => (Name, Type, FileType) = (name, type, fileType);

    /// <summary>All of them.</summary>
    public static IReadOnlyList<QuantizationMix> All { get; } =
    [
        new("q8_0", TensorType.Q8_0, 7),
        new("q4_0", TensorType.Q4_0, 2),
        new("q4_1", TensorType.Q4_1, 3),
        new("q5_0", TensorType.Q5_0, 8),
        new("q5_1", TensorType.Q5_1, 9),
        new("q4_k_s", TensorType.Q4_K, SmallQ4),
        new("q4_k_m", TensorType.Q4_K, MiddleQ4),
        new("q5_k_s", TensorType.Q5_K, SmallQ5),
        new("q5_k_m", TensorType.Q5_K, MiddleQ5),
        new("q6_k", TensorType.Q6_K, 18),
        new("f16", TensorType.F16, 1),
        new("bf16", TensorType.BF16, 32),
    ];

    /// <summary>The lower-case name users type: <c>q4_k_m</c>.</summary>
    public string Name { get; }

    /// <summary>The type of most matrices.</summary>
    public TensorType Type { get; }

    /// <summary>Its number in a file's <c>general.file_type</c>.</summary>
    internal uint FileType { get; }

    /// <summary>The type of each matrix of a model by its parameter's name; rows that fill no blocks get a type that fits, as in a file.</summary>
    public IReadOnlyDictionary<string, TensorType> MatrixTypes(ModelConfig config)
    {
        Func<StoredTensor, TensorType> typeOf = TypesOf(config);
        return GgufLayout.Of(config).Tensors
            .SelectMany(stored => stored.Parts.Where(part => part.Parameter.IsMatrix).Select(part => (part.Parameter.Name, Type: ModelWriter.Fitting(typeOf(stored), part.Parameter.Columns))))
            .DistinctBy(pair => pair.Name).ToDictionary(pair => pair.Name, pair => pair.Type);
    }

    /// <summary>The type of each matrix of a model's GGUF file, whether or not its rows fill that type's blocks.</summary>
    internal Func<StoredTensor, TensorType> TypesOf(ModelConfig config)
    {
        Dictionary<string, int> values = Places("attn_v", "attn_qkv", "attn_kv_b"), downs = Places("ffn_down", "ffn_down_exps");
        return TypeOf;

        // Where in the order of blocks a tensor of one of these kinds stands.
        Dictionary<string, int> Places(params string[] kinds) => GgufLayout.Of(config).Tensors
            .Where(t => kinds.Contains(Kind(t)) && t.Name.EndsWith(".weight", StringComparison.Ordinal))
            .Select((t, i) => (t.Name, Place: i)).ToDictionary(t => t.Name, t => t.Place);

        TensorType TypeOf(StoredTensor tensor)
        {
            if (!Type.IsQuantized())
                return Type;
            // A head's rows that fill no blocks get the widest type at once, not the nearest.
            if (Kind(tensor) == (config.TieWordEmbeddings ? "token_embd" : "output"))
                return Type == TensorType.Q8_0 || tensor.Shape[^1] % Type.BlockLength() != 0 ? TensorType.Q8_0 : TensorType.Q6_K;
            bool eight = config.NumLocalExperts == 8;
            if (values.TryGetValue(tensor.Name, out int value))
            {
                return eight ? TensorType.Q8_0
                    : FileType is MiddleQ4 or MiddleQ5 && MoreBits(value, values.Count) ? TensorType.Q6_K
                    : FileType == SmallQ4 && value < 4 ? TensorType.Q5_K
                    : Type;
            }

            if (downs.TryGetValue(tensor.Name, out int down))
            {
                return FileType is MiddleQ4 or MiddleQ5 && MoreBits(down, downs.Count) ? TensorType.Q6_K
                    : FileType == SmallQ4 && down < downs.Count / 8 ? TensorType.Q5_K
                    : Type;
            }

            return eight && Kind(tensor) == "attn_k" ? TensorType.Q8_0
                : eight && Kind(tensor) == "attn_output" && FileType is SmallQ4 or MiddleQ4 ? TensorType.Q5_K
                : Type;
        }
    }

    // The first and the last eighth, and every third block between.
    private static bool MoreBits(int block, int blocks) => block < blocks / 8 || block >= 7 * blocks / 8 || (block - blocks / 8) % 3 == 2;

    // blk.3.attn_v.weight is attn_v.
    private static string Kind(StoredTensor tensor)
    {
        string[] parts = tensor.Name.Split('.');
        return parts[0] == "blk" ? parts[2] : parts[0];
    }
}
