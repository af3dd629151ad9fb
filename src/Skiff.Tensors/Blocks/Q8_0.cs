using System.Numerics.Tensors;
using System.Runtime.Intrinsics;

namespace Skiff.Tensors;

/// <summary>32 values in 34 bytes: half scale d, then 32 signed codes. value = code * d; d is the greatest magnitude over 127.</summary>
internal static class Q8_0
{
    private const int Bytes = 34;

    /// <summary>Whole blocks to floats.</summary>
    public static void Decode(ReadOnlySpan<byte> source, Span<float> destination)
    {
        for (; destination.Length > 0; source = source[Bytes..], destination = destination[BlockMath.Group..])
        {
            float scale = BlockMath.Half(source);
            BlockMath.Scale(BlockMath.Load(source[2..]).AsSByte(), scale, destination);
            BlockMath.Scale(BlockMath.Load(source[18..]).AsSByte(), scale, destination[16..]);
        }
    }

    /// <summary>Whole blocks from floats.</summary>
    public static void Encode(ReadOnlySpan<float> source, Span<byte> destination)
    {
        for (; source.Length > 0; source = source[BlockMath.Group..], destination = destination[Bytes..])
        {
            ReadOnlySpan<float> values = source[..BlockMath.Group];
            if (BlockMath.IsDamaged(values, destination[..Bytes], 0))
                continue;
            float scale = MathF.Abs(TensorPrimitives.MaxMagnitude(values)) / 127;
            BlockMath.Half(destination, scale);
            float inverse = BlockMath.Inverse(scale);
            Vector256<int> a = Code(values, inverse), b = Code(values[8..], inverse), c = Code(values[16..], inverse), d = Code(values[24..], inverse);
            Vector256.Narrow(Vector256.Narrow(a, b), Vector256.Narrow(c, d)).AsByte().CopyTo(destination[2..]);
        }
    }

    // To nearest, ties away from zero: the greatest float below 0.5 is added, for 0.5 would carry 0.49999997 up to 1.
    private static Vector256<int> Code(ReadOnlySpan<float> values, float inverse)
    {
        Vector256<float> steps = Vector256.Create(values) * inverse;
        return Vector256.ConvertToInt32(steps + Vector256.CopySign(Vector256.Create(0.49999997f), steps));
    }
}
