using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>ggml's tensor type numbers. Source: enum ggml_type in ggml.h of ggml-org/ggml.</summary>
internal static class GgufTypes
{
    private static readonly Dictionary<uint, TensorType> Known = new()
    {
        [0] = TensorType.F32,
        [1] = TensorType.F16,
        [2] = TensorType.Q4_0,
        [3] = TensorType.Q4_1,
        [6] = TensorType.Q5_0,
        [7] = TensorType.Q5_1,
        [8] = TensorType.Q8_0,
        [12] = TensorType.Q4_K,
        [13] = TensorType.Q5_K,
        [14] = TensorType.Q6_K,
        [24] = TensorType.I8,
        [25] = TensorType.I16,
        [26] = TensorType.I32,
        [27] = TensorType.I64,
        [28] = TensorType.F64,
        [30] = TensorType.BF16,
    };

    // Types that exist but are not read here, so that a refusal can name them.
    private static readonly Dictionary<uint, string> Unread = new()
    {
        [4] = "q4_2",
        [5] = "q4_3",
        [9] = "q8_1",
        [10] = "q2_k",
        [11] = "q3_k",
        [15] = "q8_k",
        [16] = "iq2_xxs",
        [17] = "iq2_xs",
        [18] = "iq3_xxs",
        [19] = "iq1_s",
        [20] = "iq4_nl",
        [21] = "iq3_s",
        [22] = "iq2_s",
        [23] = "iq4_xs",
        [29] = "iq1_m",
        [31] = "q4_0_4_4",
        [32] = "q4_0_4_8",
        [33] = "q4_0_8_8",
        [34] = "tq1_0",
        [35] = "tq2_0",
        [36] = "iq4_nl_4_4",
        [37] = "iq4_nl_4_8",
        [38] = "iq4_nl_8_8",
        [39] = "mxfp4",
        [40] = "nvfp4",
        [41] = "q1_0",
        [42] = "q2_0",
    };

    private static readonly Dictionary<TensorType, uint> Numbers = Known.ToDictionary(pair => pair.Value, pair => pair.Key);

    /// <summary>The type of a number in a file.</summary>
    /// <exception cref="InvalidInputException">A type that is not supported; it is named.</exception>
    public static TensorType Parse(uint number, string source, string tensor) => Known.TryGetValue(number, out TensorType type)
        ? type
        : throw new InvalidInputException(
            source,
            tensor,
            $"tensor type {number} ({Unread.GetValueOrDefault(number, "unknown")}) is not supported; known are {string.Join(", ", Known.Values.Select(t => t.Name()))}");

    /// <summary>The number of a type; false where ggml has none.</summary>
    public static bool TryNumber(TensorType type, out uint number) => Numbers.TryGetValue(type, out number);
}
