using System.Runtime.Intrinsics;

namespace Skiff.Tensors;

/// <summary>
/// 256 values in 210 bytes: low four bits of the codes (128 bytes), upper two bits (64 bytes), 16 signed scales of groups
/// of 16 values, half scale d. Each half of 128 values has 64 and 32 of these bytes: value i (0 to 31) of its quarter q
/// (0 to 3) lies in byte i + 32 * (q mod 2), high four bits for q of 2 and 3, and in bits 2q of byte i.
/// value = d * scale * (code - 32).
/// </summary>
internal static class Q6K
{
    private const int Bytes = 210, UpperAt = 128, ScalesAt = 192, ScaleAt = 208;

    /// <summary>Whole blocks to floats.</summary>
    public static void Decode(ReadOnlySpan<byte> source, Span<float> destination)
    {
        for (; destination.Length > 0; source = source[Bytes..], destination = destination[KBlocks.Block..])
        {
            float scales = BlockMath.Half(source[ScaleAt..]);
            for (int g = 0; g < 16; g++)
            {
                // Group g is half of quarter q of its 128 values.
                int h = g / 8, q = g % 8 / 2, i = g % 2 * 16;
                Vector128<byte> low = BlockMath.Load(source[((h * 64) + (q % 2 * 32) + i)..]);
                low = q < 2 ? low & Vector128.Create((byte)15) : low >> 4;
                Vector128<byte> upper = (BlockMath.Load(source[(UpperAt + (h * 32) + i)..]) >> (2 * q)) & Vector128.Create((byte)3);
                Vector128<byte> code = (low | (upper << 4)) - Vector128.Create((byte)32);
                BlockMath.Scale(code.AsSByte(), scales * (sbyte)source[ScalesAt + g], destination[(g * 16)..]);
            }
        }
    }

    /// <summary>Whole blocks from floats, with an importance of each value or none at all.</summary>
    public static void Encode(ReadOnlySpan<float> source, ReadOnlySpan<float> importance, Span<byte> destination)
    {
        Span<float> scales = stackalloc float[16];
        Span<byte> codes = stackalloc byte[KBlocks.Block];
        for (int at = 0; at < source.Length; at += KBlocks.Block, destination = destination[Bytes..])
        {
            ReadOnlySpan<float> values = source.Slice(at, KBlocks.Block), weights = importance.IsEmpty ? [] : importance.Slice(at, KBlocks.Block);
            Span<byte> block = destination[..Bytes];
            if (BlockMath.IsDamaged(values, block, ScaleAt))
                continue;
            KBlocks.FitSymmetric(values[..128], weights.IsEmpty ? [] : weights[..128], 32).CopyTo(scales);
            KBlocks.FitSymmetric(values[128..], weights.IsEmpty ? [] : weights[128..], 32).CopyTo(scales[8..]);
            float extreme = BlockMath.Extreme(scales);
            if (MathF.Abs(extreme) < KBlocks.ZeroBelow)
            {
                block.Clear();
                continue;
            }

            // The scale of greatest magnitude becomes -128.
            float steps = -128f / extreme;
            BlockMath.Half(block[ScaleAt..], 1f / steps);
            float stored = BlockMath.Half(block[ScaleAt..]);
            for (int g = 0; g < 16; g++)
            {
                sbyte scale = (sbyte)Math.Min(127, BlockMath.Nearest(steps * scales[g]));
                block[ScalesAt + g] = (byte)scale;
                Code(values.Slice(g * 16, 16), stored * scale, codes.Slice(g * 16, 16));
            }

            Pack(codes, block);
        }
    }

    private static void Code(ReadOnlySpan<float> values, float scale, Span<byte> codes)
    {
        for (int i = 0; i < 16; i += 8)
        {
            Vector256<int> code = scale == 0 ? default : BlockMath.Nearest(Vector256.Create(values[i..]) / scale);
            code = Vector256.Max(Vector256.Create(-32), Vector256.Min(Vector256.Create(31), code)) + Vector256.Create(32);
            for (int k = 0; k < 8; k++)
                codes[i + k] = (byte)code[k];
        }
    }

    private static void Pack(ReadOnlySpan<byte> codes, Span<byte> block)
    {
        Vector256<byte> low = Vector256.Create((byte)15);
        for (int h = 0; h < 2; h++, codes = codes[128..])
        {
            Vector256<byte> a = Vector256.Create(codes), b = Vector256.Create(codes[32..]), c = Vector256.Create(codes[64..]), d = Vector256.Create(codes[96..]);
            ((a & low) | ((c & low) << 4)).CopyTo(block[(h * 64)..]);
            ((b & low) | ((d & low) << 4)).CopyTo(block[((h * 64) + 32)..]);
            ((a >> 4) | ((b >> 4) << 2) | ((c >> 4) << 4) | ((d >> 4) << 6)).CopyTo(block[(UpperAt + (h * 32))..]);
        }
    }
}
