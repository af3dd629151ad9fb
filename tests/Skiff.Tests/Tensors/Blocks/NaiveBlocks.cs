using Skiff.Tensors;

namespace Skiff.Tests.Tensors;

/// <summary>
/// The block layouts read value by value, one bit at a time where that is plainest: nothing is shared with the decoders
/// under test.
/// </summary>
internal static class NaiveBlocks
{
    /// <summary>Value <paramref name="i"/> of one block.</summary>
    public static float Value(TensorType type, byte[] block, int i)
    {
        switch (type)
        {
            case TensorType.Q4_0:
                return (Nibble(block, 2, i, 16) - 8) * Half(block, 0);
            case TensorType.Q4_1:
                return Rounded(Nibble(block, 4, i, 16) * Half(block, 0)) + Half(block, 2);
            case TensorType.Q5_0:
                return (Nibble(block, 6, i, 16) + (16 * Bit(block, 2, i)) - 16) * Half(block, 0);
            case TensorType.Q5_1:
                return Rounded((Nibble(block, 8, i, 16) + (16 * Bit(block, 4, i))) * Half(block, 0)) + Half(block, 2);
            case TensorType.Q8_0:
                return (sbyte)block[2 + i] * Half(block, 0);
            case TensorType.Q4_K:
                return Affine(block, i, Nibble(block, 16 + (i / 64 * 32), i % 64, 32));
            case TensorType.Q5_K:
                int fifth = block[16 + (i % 32)] >> (i / 32) & 1;
                return Affine(block, i, Nibble(block, 48 + (i / 64 * 32), i % 64, 32) + (16 * fifth));
            case TensorType.Q6_K:
                int half = i / 128, quarter = i % 128 / 32, at = i % 32;
                int low = block[(half * 64) + (quarter % 2 * 32) + at];
                low = quarter >= 2 ? low / 16 : low % 16;
                int upper = block[128 + (half * 32) + at] >> (2 * quarter) & 3;
                float scale = Rounded(Half(block, 208) * (sbyte)block[192 + (i / 16)]);
                return scale * (low + (16 * upper) - 32);
            default:
                throw new ArgumentOutOfRangeException(nameof(type));
        }
    }

    private static float Affine(byte[] block, int i, int code)
    {
        int group = i / 32;
        int scale, minimum;
        if (group < 4)
        {
            scale = block[4 + group] % 64;
            minimum = block[8 + group] % 64;
        }
        else
        {
            scale = (block[8 + group] % 16) + (block[group] / 64 * 16);
            minimum = (block[8 + group] / 16) + (block[4 + group] / 64 * 16);
        }

        return Rounded(Rounded(Half(block, 0) * scale) * code) - Rounded(Half(block, 2) * minimum);
    }

    // Value i of a run: the low halves of the bytes come first, then the high ones.
    private static int Nibble(byte[] block, int start, int i, int bytes) =>
        i < bytes ? block[start + i] % 16 : block[start + i - bytes] / 16;

    private static int Bit(byte[] block, int start, int i) => block[start + (i / 8)] >> (i % 8) & 1;

    private static float Rounded(double value) => (float)value;

    // Sign, five bits of exponent, ten of fraction, taken apart by hand.
    private static float Half(byte[] block, int at)
    {
        int bits = block[at] + (256 * block[at + 1]);
        int exponent = bits >> 10 & 31, fraction = bits & 1023;
        double magnitude = exponent switch
        {
            0 => fraction * Math.Pow(2, -24),
            31 => fraction == 0 ? double.PositiveInfinity : double.NaN,
            _ => (1024 + fraction) * Math.Pow(2, exponent - 25),
        };
        return (float)(bits >> 15 == 0 ? magnitude : -magnitude);
    }
}
