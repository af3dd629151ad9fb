using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Skiff.Tensors;

/// <summary>
/// The innermost product: c [rows, Columns] = or += a [rows, length] b [length, Columns], kept in registers over the whole
/// length. Sums start at 0 and run upwards over the length in every tile, so an entry of c has the same bits whatever
/// tile it falls in. One compiled form for each number of rows, so that a remainder costs no more than its share.
/// </summary>
internal sealed unsafe class MicroKernel
{
    private static readonly MicroKernel s_avx512 = new(MicroKernel512.Rows, 32,
    [
        &MicroKernel512.Tile<One, Singles>, &MicroKernel512.Tile<Two, Singles>, &MicroKernel512.Tile<Three, Singles>, &MicroKernel512.Tile<Four, Singles>,
        &MicroKernel512.Tile<Five, Singles>, &MicroKernel512.Tile<Six, Singles>, &MicroKernel512.Tile<Seven, Singles>, &MicroKernel512.Tile<Eight, Singles>,
        &MicroKernel512.Tile<Nine, Singles>, &MicroKernel512.Tile<Ten, Singles>, &MicroKernel512.Tile<Eleven, Singles>, &MicroKernel512.Tile<Twelve, Singles>,
    ])
    {
        Shorts =
        [
            &MicroKernel512.Tile<One, Shorts>, &MicroKernel512.Tile<Two, Shorts>, &MicroKernel512.Tile<Three, Shorts>, &MicroKernel512.Tile<Four, Shorts>,
            &MicroKernel512.Tile<Five, Shorts>, &MicroKernel512.Tile<Six, Shorts>, &MicroKernel512.Tile<Seven, Shorts>, &MicroKernel512.Tile<Eight, Shorts>,
            &MicroKernel512.Tile<Nine, Shorts>, &MicroKernel512.Tile<Ten, Shorts>, &MicroKernel512.Tile<Eleven, Shorts>, &MicroKernel512.Tile<Twelve, Shorts>,
        ],
        Bytes =
        [
            &MicroKernel512.Tile<One, Bytes>, &MicroKernel512.Tile<Two, Bytes>, &MicroKernel512.Tile<Three, Bytes>, &MicroKernel512.Tile<Four, Bytes>,
            &MicroKernel512.Tile<Five, Bytes>, &MicroKernel512.Tile<Six, Bytes>, &MicroKernel512.Tile<Seven, Bytes>, &MicroKernel512.Tile<Eight, Bytes>,
            &MicroKernel512.Tile<Nine, Bytes>, &MicroKernel512.Tile<Ten, Bytes>, &MicroKernel512.Tile<Eleven, Bytes>, &MicroKernel512.Tile<Twelve, Bytes>,
        ],
    };

    private static readonly MicroKernel s_avx2 = new(MicroKernel256.Rows, 16,
    [
        &MicroKernel256.Tile<One>, &MicroKernel256.Tile<Two>, &MicroKernel256.Tile<Three>,
        &MicroKernel256.Tile<Four>, &MicroKernel256.Tile<Five>, &MicroKernel256.Tile<Six>,
    ]);

    private static readonly MicroKernel s_portable = new(MicroKernelPortable.Rows, 2 * Vector<float>.Count,
    [
        &MicroKernelPortable.Tile<One>, &MicroKernelPortable.Tile<Two>, &MicroKernelPortable.Tile<Three>,
        &MicroKernelPortable.Tile<Four>, &MicroKernelPortable.Tile<Five>, &MicroKernelPortable.Tile<Six>,
    ]);

    private readonly delegate*<nint, float*, nint, nint, float*, nint, float*, nint, bool, float*, nint, void>[] _tiles;

    private MicroKernel(int rows, int columns, delegate*<nint, float*, nint, nint, float*, nint, float*, nint, bool, float*, nint, void>[] tiles)
        => (Rows, Columns, _tiles) = (rows, columns, tiles);

    private delegate*<nint, float*, nint, nint, float*, nint, float*, nint, bool, float*, nint, void>[]? Shorts { get; init; }

    private delegate*<nint, float*, nint, nint, float*, nint, float*, nint, bool, float*, nint, void>[]? Bytes { get; init; }

    /// <summary>Steps from one line asked of memory to the next.</summary>
    public const int AheadSteps = 4;

    /// <summary>Most rows of a tile.</summary>
    public int Rows { get; }

    /// <summary>Columns of a tile; b and c must hold all of them.</summary>
    public int Columns { get; }

    /// <summary>The kernel of an instruction set.</summary>
    public static MicroKernel Of(Isa isa) => isa switch
    {
        Isa.Avx512 => s_avx512,
        Isa.Avx2 => s_avx2,
        _ => s_portable,
    };

    /// <summary>
    /// The form for a number of rows; its arguments are length, a with the strides of its rows and steps, b with the stride
    /// of its steps, c with the stride of its rows, whether to add to c, and what to ask of memory meanwhile: one cache line
    /// every <see cref="AheadSteps"/> steps, and the stride between them. More at a time would hold up the tile's own loads.
    /// </summary>
    public delegate*<nint, float*, nint, nint, float*, nint, float*, nint, bool, float*, nint, void> Tile(int rows) => _tiles[rows - 1];

    /// <summary>
    /// <see cref="Tile"/> for a b of whole numbers, which are counted in its stride; null where this instruction set widens them beforehand. It
    /// asks memory for a line every step of 16-bit numbers, every two of 8-bit ones.
    /// </summary>
    public delegate*<nint, float*, nint, nint, float*, nint, float*, nint, bool, float*, nint, void> Narrow(TensorType type, int rows) =>
        (type == TensorType.I16 ? Shorts : Bytes) is { } tiles ? tiles[rows - 1] : null;

    /// <summary>
    /// <see cref="Tile"/> for columns that do not fill it: b is filled up to <see cref="Columns"/>, the tile is computed in room of
    /// [<see cref="Rows"/>, <see cref="Columns"/>] and its valid part moved.
    /// </summary>
    public void Edge(int rows, int columns, nint length, float* a, nint aRow, nint aStep, float* b, float* c, nint cRow, bool accumulate, float* tile)
    {
        Tile(rows)(length, a, aRow, aStep, b, Columns, tile, Columns, false, b, 0);
        for (int i = 0; i < rows; i++)
            for (int j = 0; j < columns; j++)
                c[i * cRow + j] = accumulate ? c[i * cRow + j] + tile[i * Columns + j] : tile[i * Columns + j];
    }
}

/// <summary>A kind of numbers that the compiler knows.</summary>
internal unsafe interface INumbers
{
    /// <summary>Bytes of one.</summary>
    static abstract int Size { get; }

    /// <summary>Steps from one line asked of memory to the next.</summary>
    static abstract int AheadSteps { get; }

    /// <summary>Sixteen of them.</summary>
    static abstract Vector512<float> Load(byte* from);
}

internal readonly unsafe struct Singles : INumbers
{
    public static int Size => sizeof(float);

    public static int AheadSteps => MicroKernel.AheadSteps;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Load(byte* from) => Vector512.Load((float*)from);
}

internal readonly unsafe struct Shorts : INumbers
{
    public static int Size => sizeof(short);

    public static int AheadSteps => 1;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Load(byte* from) => Vector512.ConvertToSingle(Sixteen.Widen(Vector256.Load((short*)from)));
}

internal readonly unsafe struct Bytes : INumbers
{
    public static int Size => sizeof(sbyte);

    public static int AheadSteps => 2;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Load(byte* from) => Vector512.ConvertToSingle(Sixteen.Widen(Vector128.Load((sbyte*)from)));
}

/// <summary>A number of rows that the compiler knows.</summary>
internal interface IRowCount
{
    static abstract int Value { get; }
}

internal readonly struct One : IRowCount
{
    public static int Value => 1;
}

internal readonly struct Two : IRowCount
{
    public static int Value => 2;
}

internal readonly struct Three : IRowCount
{
    public static int Value => 3;
}

internal readonly struct Four : IRowCount
{
    public static int Value => 4;
}

internal readonly struct Five : IRowCount
{
    public static int Value => 5;
}

internal readonly struct Six : IRowCount
{
    public static int Value => 6;
}

internal readonly struct Seven : IRowCount
{
    public static int Value => 7;
}

internal readonly struct Eight : IRowCount
{
    public static int Value => 8;
}

internal readonly struct Nine : IRowCount
{
    public static int Value => 9;
}

internal readonly struct Ten : IRowCount
{
    public static int Value => 10;
}

internal readonly struct Eleven : IRowCount
{
    public static int Value => 11;
}

internal readonly struct Twelve : IRowCount
{
    public static int Value => 12;
}
