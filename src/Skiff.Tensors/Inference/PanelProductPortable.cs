using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;

namespace Skiff.Tensors;

/// <summary>
/// <see cref="PanelProduct512"/> in 128-bit vectors of any processor, four outputs at a time; with <c>sdot</c> where Arm has it. Codes of 8
/// bits are taken with their sign: products stay within 16 bits, and their sums are made in 32.
/// </summary>
internal static unsafe class PanelProductPortable
{
    /// <inheritdoc cref="PanelProduct512.Multiply{TCodes, TScales}"/>
    public static void Multiply<TCodes, TScales>(byte* codes, byte* records, int blocks, byte* x, int rows, float* sums)
        where TCodes : struct, IPanelCodes
        where TScales : struct, IPanelScales
    {
        byte* unpacked = (byte*)(sums + 16 * Activations.TileRows);
        new Span<float>(sums, 16 * rows).Clear();
        float* scales = stackalloc float[16], minima = stackalloc float[16];
        short* firsts = stackalloc short[32], seconds = stackalloc short[32], corrections = stackalloc short[32];
        for (int block = 0; block < blocks; block++)
        {
            Unpack<TCodes>(codes, unpacked);
            int inner = block % TScales.Blocks;
            TScales.Scale(records, inner, TScales.Factor(records)).Store(scales);
            TScales.Minimum(records, inner, TScales.MinimumFactor(records)).Store(minima);
            TScales.First(records, inner).Store(firsts);
            TScales.Second(records, inner).Store(seconds);
            TScales.Correction(records, inner).Store(corrections);
            float* factors = (float*)(x + rows * BlockMath.Group);
            for (int quarter = 0; quarter < 4; quarter++)
            {
                Vector128<float> scale = Vector128.Load(scales + 4 * quarter), minimum = Vector128.Load(minima + 4 * quarter);
                // The lower 16 of 32 bits belong to the first half of the inputs, the upper to the second.
                Vector128<int> pairs = Vector128.Load((int*)corrections + 4 * quarter), low = (pairs << 16) >> 16, high = pairs >> 16;
                Vector128<int> first = Vector128.Load((int*)firsts + 4 * quarter) >> 16, second = Vector128.Load((int*)seconds + 4 * quarter) >> 16;
                for (int row = 0; row < rows; row++)
                {
                    byte* q = x + row * BlockMath.Group;
                    Vector128<int> one = Dot<TCodes>(unpacked + 16 * quarter, q), two = Dot<TCodes>(unpacked + 256 + 16 * quarter, q + 16);
                    Vector128<int> dot = TScales.HasHalves ? one * first + two * second : one + two;
                    if (TScales.HasHalves)
                    {
                        int both = *(int*)(factors + rows + row);
                        dot -= low * (short)both + high * (both >> 16);
                    }

                    float* sum = sums + 16 * row + 4 * quarter;
                    Vector128<float> total = Vector128.MultiplyAddEstimate(Vector128.ConvertToSingle(dot), scale * factors[row], Vector128.Load(sum));
                    if (TScales.HasMinimum)
                        total = Vector128.MultiplyAddEstimate(minimum, Vector128.Create(factors[2 * rows + row]), total);
                    total.Store(sum);
                }
            }

            codes += 64 * TCodes.Bits;
            if (inner == TScales.Blocks - 1)
                records += TScales.Bytes;
            x += rows * Activations.BlockBytes;
        }
    }

    /// <summary>The eight groups of a block, a byte a code.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Unpack<TCodes>(byte* codes, byte* target)
        where TCodes : struct, IPanelCodes
    {
        TCodes.Group(codes, 0).Store(target);
        TCodes.Group(codes, 1).Store(target + 64);
        TCodes.Group(codes, 2).Store(target + 128);
        TCodes.Group(codes, 3).Store(target + 192);
        TCodes.Group(codes, 4).Store(target + 256);
        TCodes.Group(codes, 5).Store(target + 320);
        TCodes.Group(codes, 6).Store(target + 384);
        TCodes.Group(codes, 7).Store(target + 448);
    }

    // Four outputs, 16 inputs.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<int> Dot<TCodes>(byte* weights, byte* q)
        where TCodes : struct, IPanelCodes
    {
        Vector128<int> dot = default, low = default, high = default;
        for (int g = 0; g < 4; g++)
        {
            Vector128<sbyte> weight = (Vector128.Load(weights + 64 * g) ^ Vector128.Create((byte)(TCodes.Bits == 8 ? 128 : 0))).AsSByte();
            Vector128<sbyte> value = Vector128.Create(*(int*)(q + 4 * g)).AsSByte();
            if (Dp.IsSupported)
            {
                dot = Dp.DotProduct(dot, weight, value);
                continue;
            }

            Vector128<short> wide = Vector128.WidenLower(value);
            Vector128<int> products = (Vector128.WidenLower(weight) * wide).AsInt32(), others = (Vector128.WidenUpper(weight) * wide).AsInt32();
            low += ((products << 16) >> 16) + (products >> 16);
            high += ((others << 16) >> 16) + (others >> 16);
        }

        if (Dp.IsSupported)
            return dot;
        Vector128<int> even = Vector128.Create(Vector128.Shuffle(low, Vector128.Create(0, 2, 0, 2)).GetLower(), Vector128.Shuffle(high, Vector128.Create(0, 2, 0, 2)).GetLower());
        Vector128<int> odd = Vector128.Create(Vector128.Shuffle(low, Vector128.Create(1, 3, 1, 3)).GetLower(), Vector128.Shuffle(high, Vector128.Create(1, 3, 1, 3)).GetLower());
        return even + odd;
    }
}
