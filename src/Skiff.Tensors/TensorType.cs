namespace Skiff.Tensors;

/// <summary>How a tensor's numbers are stored. Quantized types hold blocks of values that share scales.</summary>
public enum TensorType
{
    /// <summary>IEEE double precision.</summary>
    F64,

    /// <summary>IEEE single precision.</summary>
    F32,

    /// <summary>IEEE half precision.</summary>
    F16,

    /// <summary>The upper 16 bits of a single.</summary>
    BF16,

    /// <summary>Signed 64-bit integer.</summary>
    I64,

    /// <summary>Signed 32-bit integer.</summary>
    I32,

    /// <summary>Signed 16-bit integer.</summary>
    I16,

    /// <summary>Signed 8-bit integer.</summary>
    I8,

    /// <summary>Unsigned 8-bit integer.</summary>
    U8,

    /// <summary>One byte, 0 or 1.</summary>
    Bool,

    /// <summary>32 values, 4 bits each, one half-precision scale.</summary>
    Q4_0,

    /// <summary>32 values, 4 bits each, scale and minimum.</summary>
    Q4_1,

    /// <summary>32 values, 5 bits each, one scale.</summary>
    Q5_0,

    /// <summary>32 values, 5 bits each, scale and minimum.</summary>
    Q5_1,

    /// <summary>32 values, 8 bits each, one scale.</summary>
    Q8_0,

    /// <summary>256 values, 4 bits each, 6-bit scales and minima for groups of 32.</summary>
    Q4_K,

    /// <summary>256 values, 5 bits each, 6-bit scales and minima for groups of 32.</summary>
    Q5_K,

    /// <summary>256 values, 6 bits each, 8-bit scales for groups of 16.</summary>
    Q6_K,
}

/// <summary>Sizes and names of <see cref="TensorType"/>.</summary>
public static class TensorTypes
{
    /// <summary>Values in one block: 1 for plain types, 32 or 256 for quantized ones.</summary>
    public static int BlockLength(this TensorType type) => type switch
    {
        TensorType.Q4_0 or TensorType.Q4_1 or TensorType.Q5_0 or TensorType.Q5_1 or TensorType.Q8_0 => 32,
        TensorType.Q4_K or TensorType.Q5_K or TensorType.Q6_K => 256,
        _ => 1,
    };

    /// <summary>Bytes of one block (of one value, for plain types).</summary>
    public static int BlockBytes(this TensorType type) => type switch
    {
        TensorType.F64 or TensorType.I64 => 8,
        TensorType.F32 or TensorType.I32 => 4,
        TensorType.F16 or TensorType.BF16 or TensorType.I16 => 2,
        TensorType.I8 or TensorType.U8 or TensorType.Bool => 1,
        TensorType.Q4_0 => 18,
        TensorType.Q4_1 => 20,
        TensorType.Q5_0 => 22,
        TensorType.Q5_1 => 24,
        TensorType.Q8_0 => 34,
        TensorType.Q4_K => 144,
        TensorType.Q5_K => 176,
        TensorType.Q6_K => 210,
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, null),
    };

    /// <summary>Bytes of <paramref name="count"/> values; the count must fill whole blocks.</summary>
    /// <exception cref="ArgumentException">The count is negative or no multiple of the block length.</exception>
    /// <exception cref="OverflowException">The size exceeds 2^63 - 1 bytes.</exception>
    public static long ByteLength(this TensorType type, long count)
    {
        if (count < 0 || count % type.BlockLength() != 0)
            throw new ArgumentException($"{count} values do not fill blocks of {type.BlockLength()}", nameof(count));
        return checked(count / type.BlockLength() * type.BlockBytes());
    }

    /// <summary>True for block types whose values share scales.</summary>
    public static bool IsQuantized(this TensorType type) => type.BlockLength() > 1;

    /// <summary>The lower-case name users type: <c>f32</c>, <c>q4_k</c>.</summary>
    public static string Name(this TensorType type) => type.ToString().ToLowerInvariant();
}
