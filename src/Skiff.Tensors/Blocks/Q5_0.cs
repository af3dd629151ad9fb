using System.Buffers.Binary;
using System.Runtime.Intrinsics;

namespace Skiff.Tensors;

/// <summary>
/// 32 values in 22 bytes: half scale d, 32 bits that are the fifth bit of each code, then 16 bytes that hold the low
/// four bits of value i and, above them, of value i + 16. value = (code - 16) * d; d is the value of greatest
/// magnitude over -16.
/// </summary>
internal static class Q5_0
{
    private const int Bytes = 22;

    /// <summary>Whole blocks to floats.</summary>
    public static void Decode(ReadOnlySpan<byte> source, Span<float> destination)
    {
        for (; destination.Length > 0; source = source[Bytes..], destination = destination[BlockMath.Group..])
        {
            float scale = BlockMath.Half(source);
            int fifth = BinaryPrimitives.ReadInt32LittleEndian(source[2..]);
            Vector128<byte> pairs = BlockMath.Load(source[6..]);
            Vector128<byte> middle = Vector128.Create((byte)16);
            BlockMath.Scale((((pairs & Vector128.Create((byte)15)) | BlockMath.Spread(fifth, 16)) - middle).AsSByte(), scale, destination);
            BlockMath.Scale((((pairs >> 4) | BlockMath.Spread(fifth >> 16, 16)) - middle).AsSByte(), scale, destination[16..]);
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
            Write(values, BlockMath.Extreme(values) / -16, destination);
        }
    }

    /// <summary>One block under a given d.</summary>
    public static void Write(ReadOnlySpan<float> values, float scale, Span<byte> block)
    {
        BlockMath.Half(block, scale);
        Vector256<byte> codes = BlockMath.Codes(values, 0, BlockMath.Inverse(scale), 16.5f, 31);
        BinaryPrimitives.WriteUInt32LittleEndian(block[2..], BlockMath.Gather(codes, 16));
        codes &= Vector256.Create((byte)15);
        (codes.GetLower() | (codes.GetUpper() << 4)).CopyTo(block[6..]);
    }
}
