using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Skiff.Tensors;

/// <summary>
/// Codes of 8 bits times activations of 8 bits: <c>vpdpbusd</c> in 256 bits, the widest that .NET 10 offers, on tiles of up to six rows and
/// 16 outputs: twelve sums, two vectors of weights and one of x in the 16 registers that the instruction can name. What each block gives
/// is added to the rows' results in 512 bits.
/// </summary>
internal static unsafe class PanelBytes512
{
    private const int TileRows = 6;

    /// <inheritdoc cref="PanelProduct512.Multiply{TCodes, TScales}"/>
    public static void Multiply<TScales>(byte* codes, byte* records, int blocks, byte* x, int rows, float* sums)
        where TScales : struct, IPanelScales
    {
        for (int row = 0; row < rows; row += TileRows)
        {
            delegate*<byte*, byte*, int, byte*, int, int, float*, void> tile = (rows - row) switch
            {
                1 => &Tile<One, TScales>,
                2 => &Tile<Two, TScales>,
                3 => &Tile<Three, TScales>,
                4 => &Tile<Four, TScales>,
                5 => &Tile<Five, TScales>,
                _ => &Tile<Six, TScales>,
            };
            tile(codes, records, blocks, x, rows, row, sums + 16 * row);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile<TRows, TScales>(byte* codes, byte* records, int blocks, byte* x, int rows, int row, float* sums)
        where TRows : struct, IRowCount
        where TScales : struct, IPanelScales
    {
        for (int r = 0; r < TRows.Value; r++)
            Vector512<float>.Zero.Store(sums + 16 * r);
        byte* q = x + row * BlockMath.Group;
        float* factors = (float*)(x + rows * BlockMath.Group) + row;
        nint next = (nint)rows * Activations.BlockBytes;
        for (int block = 0; block < blocks; block++)
        {
            if (TRows.Value > 1)
                PanelProduct512.Ahead<EightBits>(codes, records);
            // What the codes have too much is taken off before they come.
            int* offsets = (int*)factors + 3 * rows;
            Vector256<int> a0 = Vector256.Create(offsets[0]), b0 = a0, a1 = default, b1 = default, a2 = default, b2 = default;
            Vector256<int> a3 = default, b3 = default, a4 = default, b4 = default, a5 = default, b5 = default;
            if (TRows.Value > 1)
                a1 = b1 = Vector256.Create(offsets[1]);
            if (TRows.Value > 2)
                a2 = b2 = Vector256.Create(offsets[2]);
            if (TRows.Value > 3)
                a3 = b3 = Vector256.Create(offsets[3]);
            if (TRows.Value > 4)
                a4 = b4 = Vector256.Create(offsets[4]);
            if (TRows.Value > 5)
                a5 = b5 = Vector256.Create(offsets[5]);
            for (nint g = 0; g < BlockMath.Group; g += 4, codes += 64)
            {
                Vector256<byte> low = Vector256.Load(codes), high = Vector256.Load(codes + 32);
                // A single row waits for memory alone, and less so if it is asked evenly.
                if (TRows.Value == 1)
                    Sse.Prefetch0(codes + PanelProduct512.Distance);
                Vector256<sbyte> value = Four(q + g);
                a0 = AvxVnni.MultiplyWideningAndAdd(a0, low, value);
                b0 = AvxVnni.MultiplyWideningAndAdd(b0, high, value);
                if (TRows.Value > 1)
                {
                    value = Four(q + g + 32);
                    a1 = AvxVnni.MultiplyWideningAndAdd(a1, low, value);
                    b1 = AvxVnni.MultiplyWideningAndAdd(b1, high, value);
                }

                if (TRows.Value > 2)
                {
                    value = Four(q + g + 64);
                    a2 = AvxVnni.MultiplyWideningAndAdd(a2, low, value);
                    b2 = AvxVnni.MultiplyWideningAndAdd(b2, high, value);
                }

                if (TRows.Value > 3)
                {
                    value = Four(q + g + 96);
                    a3 = AvxVnni.MultiplyWideningAndAdd(a3, low, value);
                    b3 = AvxVnni.MultiplyWideningAndAdd(b3, high, value);
                }

                if (TRows.Value > 4)
                {
                    value = Four(q + g + 128);
                    a4 = AvxVnni.MultiplyWideningAndAdd(a4, low, value);
                    b4 = AvxVnni.MultiplyWideningAndAdd(b4, high, value);
                }

                if (TRows.Value > 5)
                {
                    value = Four(q + g + 160);
                    a5 = AvxVnni.MultiplyWideningAndAdd(a5, low, value);
                    b5 = AvxVnni.MultiplyWideningAndAdd(b5, high, value);
                }
            }

            Vector512<float> scale = TScales.Scale(records, 0, TScales.Factor(records));
            records += TScales.Bytes;
            Add(sums, a0, b0, scale, factors);
            if (TRows.Value > 1)
                Add(sums + 16, a1, b1, scale, factors + 1);
            if (TRows.Value > 2)
                Add(sums + 32, a2, b2, scale, factors + 2);
            if (TRows.Value > 3)
                Add(sums + 48, a3, b3, scale, factors + 3);
            if (TRows.Value > 4)
                Add(sums + 64, a4, b4, scale, factors + 4);
            if (TRows.Value > 5)
                Add(sums + 80, a5, b5, scale, factors + 5);
            q += next;
            factors = (float*)((byte*)factors + next);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<sbyte> Four(byte* q) => Vector256.Create(*(int*)q).AsSByte();

    // The sums lie in the first-level cache: the sixteen registers that the instruction can name are all taken.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Add(float* sum, Vector256<int> low, Vector256<int> high, Vector512<float> scale, float* factor)
    {
        Vector512<int> dot = low.ToVector512Unsafe().WithUpper(high);
        Vector512.FusedMultiplyAdd(Vector512.ConvertToSingle(dot), scale * Vector512.Create(*factor), Vector512.Load(sum)).Store(sum);
    }
}
