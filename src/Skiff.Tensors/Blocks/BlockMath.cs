using System.Buffers.Binary;
using System.Numerics.Tensors;
using System.Runtime.Intrinsics;

namespace Skiff.Tensors;

/// <summary>
/// What the block types share: half-precision scales and the step between 32 codes and 32 floats. The layouts are
/// those of ggml (ggml-common.h of ggml-org/ggml); every operation is done in ggml's order, so that results agree bit
/// for bit. Encoders write a block that holds a NaN or an infinity as NaN throughout: damage stays visible.
/// </summary>
internal static class BlockMath
{
    /// <summary>Values that share a scale in the simple types.</summary>
    public const int Group = 32;

    private const float RoundingMagic = 12582912f;

    /// <summary>A half-precision number at the start of <paramref name="source"/>.</summary>
    public static float Half(ReadOnlySpan<byte> source) => (float)BinaryPrimitives.ReadHalfLittleEndian(source);

    /// <summary>Writes a number in half precision, rounded to nearest even.</summary>
    public static void Half(Span<byte> destination, float value) => BinaryPrimitives.WriteHalfLittleEndian(destination, (Half)value);

    /// <summary>
    /// True if a value is NaN or infinite; the block is then zero but for the scale in its two bytes from
    /// <paramref name="scaleAt"/>, which is NaN.
    /// </summary>
    public static bool IsDamaged(ReadOnlySpan<float> values, Span<byte> block, int scaleAt)
    {
        if (float.IsFinite(TensorPrimitives.MaxMagnitude(values)))
            return false;
        block.Clear();
        BinaryPrimitives.WriteUInt16LittleEndian(block[scaleAt..], 0x7E00);
        return true;
    }

    /// <summary>The value of greatest magnitude with its sign, the first of equals; 0 of zeros.</summary>
    public static float Extreme(ReadOnlySpan<float> values)
    {
        float magnitude = MathF.Abs(TensorPrimitives.MaxMagnitude(values));
        foreach (float value in values)
            if (MathF.Abs(value) == magnitude)
                return value;
        return 0;
    }

    /// <summary>1 / scale; 0 for a scale so small that half precision stores 0 anyway.</summary>
    public static float Inverse(float scale)
    {
        float inverse = 1f / scale;
        return float.IsFinite(inverse) ? inverse : 0f;
    }

    /// <summary>16 values: destination = code * scale.</summary>
    public static void Scale(Vector128<sbyte> codes, float scale, Span<float> destination)
    {
        (Vector256<float> low, Vector256<float> high) = Widen(codes);
        Vector256<float> factor = Vector256.Create(scale);
        (low * factor).CopyTo(destination);
        (high * factor).CopyTo(destination[8..]);
    }

    /// <summary>16 values: destination = code * scale + offset; product and sum are rounded each.</summary>
    public static void Scale(Vector128<byte> codes, float scale, float offset, Span<float> destination)
    {
        (Vector256<float> low, Vector256<float> high) = Widen(codes.AsSByte());
        Vector256<float> factor = Vector256.Create(scale), shift = Vector256.Create(offset);
        ((low * factor) + shift).CopyTo(destination);
        ((high * factor) + shift).CopyTo(destination[8..]);
    }

    /// <summary>Codes of 32 values: (value - least) * inverse + rounding, cut to a whole number within 0 and <paramref name="most"/>.</summary>
    public static Vector256<byte> Codes(ReadOnlySpan<float> values, float least, float inverse, float rounding, int most)
    {
        Vector256<int> a = Code(values), b = Code(values[8..]), c = Code(values[16..]), d = Code(values[24..]);
        return Vector256.Narrow(Vector256.Narrow(a, b), Vector256.Narrow(c, d)).AsByte();

        Vector256<int> Code(ReadOnlySpan<float> from)
        {
            Vector256<float> steps = ((Vector256.Create(from) - Vector256.Create(least)) * inverse) + Vector256.Create(rounding);
            return Vector256.Min(Vector256.Max(Vector256.ConvertToInt32(steps), Vector256<int>.Zero), Vector256.Create(most));
        }
    }

    /// <summary>To nearest, ties to even, for magnitudes below 2^22: adding 1.5 * 2^23 leaves the whole number in the low bits.</summary>
    public static Vector256<int> Nearest(Vector256<float> values) =>
        ((values + Vector256.Create(RoundingMagic)).AsInt32() & Vector256.Create(0x007FFFFF)) - Vector256.Create(0x00400000);

    /// <summary>The same of one value.</summary>
    public static int Nearest(float value) => (BitConverter.SingleToInt32Bits(value + RoundingMagic) & 0x007FFFFF) - 0x00400000;

    /// <summary>16 bytes, each <paramref name="value"/> where its bit of <paramref name="bits"/> is set, else 0.</summary>
    public static Vector128<byte> Spread(int bits, byte value)
    {
        const ulong EachByte = 0x0101010101010101;
        Vector128<byte> mask = Vector128.Create(0x8040201008040201UL).AsByte();
        Vector128<byte> copies = Vector128.Create((byte)bits * EachByte, (byte)(bits >> 8) * EachByte).AsByte();
        return Vector128.Equals(copies & mask, mask) & Vector128.Create(value);
    }

    /// <summary>The reverse: bit i is set where byte i holds the bit <paramref name="value"/>.</summary>
    public static uint Gather(Vector256<byte> bytes, byte value) =>
        Vector256.Equals(bytes & Vector256.Create(value), Vector256.Create(value)).ExtractMostSignificantBits();

    /// <summary>16 bytes as a vector.</summary>
    public static Vector128<byte> Load(ReadOnlySpan<byte> source) => Vector128.Create(source);

    private static (Vector256<float> Low, Vector256<float> High) Widen(Vector128<sbyte> codes)
    {
        (Vector128<short> low, Vector128<short> high) = Vector128.Widen(codes);
        (Vector128<int> a, Vector128<int> b) = Vector128.Widen(low);
        (Vector128<int> c, Vector128<int> d) = Vector128.Widen(high);
        return (Vector256.ConvertToSingle(Vector256.Create(a, b)), Vector256.ConvertToSingle(Vector256.Create(c, d)));
    }
}
