using System.CommandLine;
using Skiff.Tensors;

namespace Skiff.Cli;

/// <summary>Flags that name a number type.</summary>
internal static class TypeFlag
{
    private static readonly TensorType[] s_types =
    [
        TensorType.F32, TensorType.F16, TensorType.BF16, TensorType.Q8_0, TensorType.Q4_0, TensorType.Q4_1, TensorType.Q5_0, TensorType.Q5_1,
        TensorType.Q4_K, TensorType.Q5_K, TensorType.Q6_K,
    ];

    /// <summary>The type of matrices in a file to be written; null where it is not given.</summary>
    public static Option<TensorType?> Create(string absent) => Create("How matrices are stored", $"quantized types only in .gguf; {absent}");

    /// <summary>An optional number type for matrices; null where it is not given.</summary>
    public static Option<TensorType?> Create(string purpose, string remarks) => OneOf("--type", purpose, remarks, s_types);

    /// <summary>One of some number types; null where it is not given.</summary>
    public static Option<TensorType?> OneOf(string name, string purpose, string remarks, params TensorType[] types) => new(name)
    {
        Description = $"{purpose}: {string.Join(", ", types.Select(t => t.Name()))} ({remarks}).",
        HelpName = "TYPE",
        CustomParser = result =>
        {
            string text = result.Tokens[^1].Value;
            foreach (TensorType type in types)
            {
                if (type.Name().Equals(text, StringComparison.OrdinalIgnoreCase))
                    return type;
            }

            result.AddError($"{name} takes one of {string.Join(", ", types.Select(t => t.Name()))}, not '{text}'");
            return null;
        },
    };
}
