using System.Buffers.Binary;

namespace Skiff.Tensors;

/// <summary>
/// The values that a stored block can hold: of each of its groups offset + scale * code. Read from a block, so that codes can be chosen one by
/// one and put back.
/// </summary>
internal static class BlockGrid
{
    /// <summary>Values of a group, which share scale and offset.</summary>
    public static int GroupLength(TensorType type) => type == TensorType.Q6_K ? 16 : 32;

    /// <summary>The largest code; the smallest is 0.</summary>
    public static int Most(TensorType type) => type switch
    {
        TensorType.Q4_0 or TensorType.Q4_1 or TensorType.Q4_K => 15,
        TensorType.Q5_0 or TensorType.Q5_1 or TensorType.Q5_K => 31,
        TensorType.Q6_K => 63,
        TensorType.Q8_0 => 255,
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "has no codes"),
    };

    /// <summary>Scale and offset of each group of a block.</summary>
    public static void Read(TensorType type, ReadOnlySpan<byte> block, Span<float> scales, Span<float> offsets)
    {
        switch (type)
        {
            case TensorType.Q4_0 or TensorType.Q5_0 or TensorType.Q8_0:
                scales[0] = BlockMath.Half(block);
                offsets[0] = -(type == TensorType.Q4_0 ? 8 : type == TensorType.Q5_0 ? 16 : 128) * scales[0];
                break;
            case TensorType.Q4_1 or TensorType.Q5_1:
                (scales[0], offsets[0]) = (BlockMath.Half(block), BlockMath.Half(block[2..]));
                break;
            case TensorType.Q4_K or TensorType.Q5_K:
                for (int g = 0; g < 8; g++)
                {
                    (int scale, int minimum) = KBlocks.Unpack(block[4..], g);
                    (scales[g], offsets[g]) = (BlockMath.Half(block) * scale, -(BlockMath.Half(block[2..]) * minimum));
                }

                break;
            default:
                for (int g = 0; g < 16; g++)
                {
                    scales[g] = BlockMath.Half(block[208..]) * (sbyte)block[192 + g];
                    offsets[g] = -32 * scales[g];
                }

                break;
        }
    }

    /// <summary>Puts codes into a block, whose scales stay.</summary>
    public static void Write(TensorType type, Span<byte> block, ReadOnlySpan<byte> codes)
    {
        switch (type)
        {
            case TensorType.Q4_0:
                Halves(codes, block[2..]);
                break;
            case TensorType.Q4_1:
                Halves(codes, block[4..]);
                break;
            case TensorType.Q5_0 or TensorType.Q5_1:
                int at = type == TensorType.Q5_0 ? 2 : 4;
                uint high = 0;
                for (int i = 0; i < 32; i++)
                    high |= (uint)(codes[i] >> 4) << i;
                BinaryPrimitives.WriteUInt32LittleEndian(block[at..], high);
                Halves(codes, block[(at + 4)..]);
                break;
            case TensorType.Q8_0:
                for (int i = 0; i < 32; i++)
                    block[2 + i] = (byte)(codes[i] - 128);
                break;
            case TensorType.Q4_K or TensorType.Q5_K:
                Span<byte> runs = block[(type == TensorType.Q4_K ? 16 : 48)..];
                for (int i = 0; i < 128; i++)
                    runs[i] = (byte)((codes[(i / 32 * 64) + (i % 32)] & 15) | ((codes[(i / 32 * 64) + 32 + (i % 32)] & 15) << 4));
                for (int i = 0; i < 32 && type == TensorType.Q5_K; i++)
                {
                    int bits = 0;
                    for (int g = 0; g < 8; g++)
                        bits |= codes[(g * 32) + i] >> 4 << g;
                    block[16 + i] = (byte)bits;
                }

                break;
            default:
                for (int i = 0; i < 64; i++)
                {
                    // Of each half of 128 values, 32 bytes hold values i, i + 32, i + 64 and i + 96.
                    int half = i / 32 * 128, l = i % 32;
                    block[(half / 2) + l] = (byte)((codes[half + l] & 15) | ((codes[half + l + 64] & 15) << 4));
                    block[(half / 2) + 32 + l] = (byte)((codes[half + l + 32] & 15) | ((codes[half + l + 96] & 15) << 4));
                    block[128 + i] = (byte)((codes[half + l] >> 4) | (codes[half + l + 32] >> 4 << 2) | (codes[half + l + 64] >> 4 << 4) | (codes[half + l + 96] >> 4 << 6));
                }

                break;
        }
    }

    // Value i in the low and value i + 16 in the high four bits.
    private static void Halves(ReadOnlySpan<byte> codes, Span<byte> bytes)
    {
        for (int i = 0; i < 16; i++)
            bytes[i] = (byte)((codes[i] & 15) | ((codes[i + 16] & 15) << 4));
    }
}
