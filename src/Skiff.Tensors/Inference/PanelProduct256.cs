using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Skiff.Tensors;

/// <summary>
/// <see cref="PanelProduct512"/> in 256-bit vectors. A block is unpacked into the first-level cache, from where both halves of the outputs
/// are read. Codes of 8 bits are taken with their sign, which is moved to the activations, so that no sum of two products leaves 16 bits.
/// </summary>
internal static unsafe class PanelProduct256
{
    /// <inheritdoc cref="PanelProduct512.Multiply{TCodes, TScales}"/>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Multiply<TCodes, TScales>(byte* codes, byte* records, int blocks, byte* x, int rows, float* sums)
        where TCodes : struct, IPanelCodes
        where TScales : struct, IPanelScales
    {
        byte* unpacked = (byte*)(sums + 16 * Activations.TileRows);
        for (int row = 0; row < 2 * rows; row++)
            Vector256<float>.Zero.Store(sums + 8 * row);
        for (int block = 0; block < blocks; block++)
        {
            PanelProduct512.Ahead<TCodes>(codes, records);
            PanelProductPortable.Unpack<TCodes>(codes, unpacked);
            int inner = block % TScales.Blocks;
            Vector512<float> scales = TScales.Scale(records, inner, TScales.Factor(records)), minima = TScales.Minimum(records, inner, TScales.MinimumFactor(records));
            Vector512<short> firsts = TScales.First(records, inner), seconds = TScales.Second(records, inner), corrections = TScales.Correction(records, inner);
            for (int half = 0; half < 2; half++)
            {
                Vector256<float> scale = half == 0 ? scales.GetLower() : scales.GetUpper(), minimum = half == 0 ? minima.GetLower() : minima.GetUpper();
                Vector256<short> first = half == 0 ? firsts.GetLower() : firsts.GetUpper(), second = half == 0 ? seconds.GetLower() : seconds.GetUpper();
                Vector256<short> correction = half == 0 ? corrections.GetLower() : corrections.GetUpper();
                byte* weights = unpacked + 32 * half;
                float* factors = (float*)(x + rows * BlockMath.Group), sum = sums + 8 * half;
                for (int row = 0; row < rows; row++, sum += 16)
                {
                    byte* q = x + row * BlockMath.Group;
                    Vector256<int> dot = TCodes.Bits == 8 ? Signed(weights, q) : Unsigned<TCodes, TScales>(weights, q, first, second);
                    if (TScales.HasHalves)
                        dot -= Avx2.MultiplyAddAdjacent(Vector256.Create(*(int*)(factors + rows + row)).AsInt16(), correction);
                    Vector256<float> total = Vector256.FusedMultiplyAdd(Vector256.ConvertToSingle(dot), scale * Vector256.Create(factors[row]), Vector256.Load(sum));
                    if (TScales.HasMinimum)
                        total = Vector256.FusedMultiplyAdd(minimum, Vector256.Create(factors[2 * rows + row]), total);
                    total.Store(sum);
                }
            }

            codes += 64 * TCodes.Bits;
            if (inner == TScales.Blocks - 1)
                records += TScales.Bytes;
            x += rows * Activations.BlockBytes;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> Unsigned<TCodes, TScales>(byte* weights, byte* q, Vector256<short> first, Vector256<short> second)
        where TCodes : struct, IPanelCodes
        where TScales : struct, IPanelScales
    {
        Vector256<short> p0 = Pairs(weights, q) + Pairs(weights + 64, q + 4), p1 = Pairs(weights + 128, q + 8) + Pairs(weights + 192, q + 12);
        Vector256<short> p2 = Pairs(weights + 256, q + 16) + Pairs(weights + 320, q + 20), p3 = Pairs(weights + 384, q + 24) + Pairs(weights + 448, q + 28);
        if (TScales.HasHalves)
        {
            return Avx2.MultiplyAddAdjacent(p0, first) + Avx2.MultiplyAddAdjacent(p1, first)
                + (Avx2.MultiplyAddAdjacent(p2, second) + Avx2.MultiplyAddAdjacent(p3, second));
        }

        return TCodes.Bits == 5
            ? Avx2.MultiplyAddAdjacent(p0 + p1, Vector256<short>.One) + Avx2.MultiplyAddAdjacent(p2 + p3, Vector256<short>.One)
            : Avx2.MultiplyAddAdjacent(p0 + p1 + (p2 + p3), Vector256<short>.One);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> Signed(byte* weights, byte* q)
    {
        Vector256<int> dot = default;
        for (int g = 0; g < 8; g++)
        {
            Vector256<sbyte> weight = (Vector256.Load(weights + 64 * g) ^ Vector256.Create((byte)128)).AsSByte();
            Vector256<sbyte> value = Avx2.Sign(Vector256.Create(*(int*)(q + 4 * g)).AsSByte(), weight);
            dot += Avx2.MultiplyAddAdjacent(Avx2.MultiplyAddAdjacent(Avx2.Abs(weight), value), Vector256<short>.One);
        }

        return dot;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<short> Pairs(byte* weights, byte* q) =>
        Avx2.MultiplyAddAdjacent(Vector256.Load(weights), Vector256.Create(*(int*)q).AsSByte());
}
