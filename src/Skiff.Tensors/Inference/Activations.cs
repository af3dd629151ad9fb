// M rows of activations, K inputs
using System.Runtime.Intrinsics;

namespace Skiff.Tensors;

/// <summary>
/// Rows of activations that several matrices read. Quantized weights need them in blocks of 32 values of 8 bits: x is near d q with
/// d = max |x| / 127 and q rounded to nearest, ties to even, so each value is off by at most d / 2. That is done once, when a
/// product first asks; what it takes is native memory that is kept. A block with a value that is no finite number becomes NaN, and so
/// does its row of every product; one whose greatest magnitude is below 2^-120 becomes 0.
/// </summary>
public sealed unsafe class Activations
{
    // M rows come in tiles of 24, a tile block by block: the codes of its rows, then their d, the two sums of 16 codes each, d times
    // the sum of all 32, and -128 times that sum, which is what weights of 8 bits have too much without their sign. So a product reads a
    // tile as one stream.

    /// <summary>Rows of a tile; a last one may have fewer.</summary>
    internal const int TileRows = 24;

    /// <summary>Bytes of a row in a block.</summary>
    internal const int BlockBytes = BlockMath.Group + 16;

    private const int PartValues = 1 << 14;
    private const float ZeroBelow = 7.5231638e-37f;

    private NativeBuffer? _memory, _tiles;
    private MatrixView _rows;
    private ThreadTeam? _team;
    private bool _isQuantized, _isTiled;

    /// <summary>M.</summary>
    public int Rows => _rows.Rows;

    /// <summary>K.</summary>
    public int Inputs => _rows.Columns;

    internal MatrixView Values => _rows;

    /// <summary>Gives the rows; their memory must stay as it is until the last product.</summary>
    /// <param name="rows">[M, K]; rows may be apart.</param>
    /// <param name="team">Threads that quantize them; those of the product that asks when null.</param>
    /// <exception cref="ArgumentException">The values of a row lie apart.</exception>
    public void Set(MatrixView rows, ThreadTeam? team = null)
    {
        if (rows.ColumnStride != 1 && rows.Columns > 1)
            throw new ArgumentException("the values of a row lie apart", nameof(rows));
        (_rows, _team, _isQuantized, _isTiled) = (rows, team, false, false);
    }

    /// <summary>The quantized tiles; tile t begins at 24 t K / 32 times <see cref="BlockBytes"/>. K must be a multiple of 32.</summary>
    internal byte* Quantized(ThreadTeam team)
    {
        if (!_isQuantized)
        {
            int blocks = Inputs / BlockMath.Group;
            long bytes = (long)Rows * blocks * BlockBytes;
            Plan plan = new() { Rows = _rows, Target = Room(ref _memory, bytes), Blocks = blocks };
            plan.PartBlocks = Math.Max(1, PartValues / BlockMath.Group / Math.Clamp(Rows, 1, TileRows));
            plan.TileParts = (blocks + plan.PartBlocks - 1) / plan.PartBlocks;
            (_team ?? team).Run((Rows + TileRows - 1) / TileRows * plan.TileParts, &QuantizePart, &plan);
            _isQuantized = true;
        }

        return _memory!.Start;
    }

    /// <summary>The values in tiles of some rows, each tile input by input, as <see cref="MicroKernel"/> reads them fastest.</summary>
    internal float* Tiles(int height, ThreadTeam team)
    {
        if (!_isTiled)
        {
            int tiles = (Rows + height - 1) / height;
            Plan plan = new() { Rows = _rows, Target = Room(ref _tiles, ((long)tiles * height * Inputs + 16) * sizeof(float)), Height = height };
            (_team ?? team).Run(tiles, &TilePart, &plan);
            _isTiled = true;
        }

        return (float*)_tiles!.Start;
    }

    private static byte* Room(ref NativeBuffer? memory, long bytes)
    {
        if (memory is null || memory.Length < bytes)
        {
            memory?.Free();
            memory = new NativeBuffer(bytes, clear: false);
        }

        return memory.Start;
    }

    private static void TilePart(void* state, int part)
    {
        Plan* plan = (Plan*)state;
        int height = plan->Height, row = part * height, rest = plan->Rows.Rows - row, inputs = plan->Rows.Columns;
        PanelPacking.Pack(
            plan->Rows.Data + row * plan->Rows.RowStride, (nint)plan->Rows.RowStride, 1, Math.Min(height, rest), rest, inputs,
            (float*)plan->Target + (long)row * inputs, height);
    }

    private static void QuantizePart(void* state, int part)
    {
        Plan* plan = (Plan*)state;
        int first = part / plan->TileParts * TileRows, rows = Math.Min(TileRows, plan->Rows.Rows - first);
        int block = part % plan->TileParts * plan->PartBlocks, end = Math.Min(plan->Blocks, block + plan->PartBlocks);
        byte* target = plan->Target + ((long)first * plan->Blocks + (long)rows * block) * BlockBytes;
        for (; block < end; block++, target += rows * BlockBytes)
        {
            float* scales = (float*)(target + rows * BlockMath.Group), sums = scales + 2 * rows;
            int* pairs = (int*)(scales + rows), offsets = (int*)(sums + rows);
            for (int row = 0; row < rows; row++)
            {
                float* source = plan->Rows.Data + (first + row) * plan->Rows.RowStride + (long)block * BlockMath.Group;
                Quantize(source, (sbyte*)target + row * BlockMath.Group, out scales[row], out int low, out int high);
                pairs[row] = (ushort)low | high << 16;
                sums[row] = scales[row] * (low + high);
                offsets[row] = -128 * (low + high);
            }
        }
    }

    private static void Quantize(float* source, sbyte* codes, out float scale, out int low, out int high)
    {
        Vector256<float> a = Vector256.Load(source), b = Vector256.Load(source + 8), c = Vector256.Load(source + 16), d = Vector256.Load(source + 24);
        // Magnitudes compare as their bits do, and what is no number lies above all that are.
        Vector256<int> bits = Vector256.Max(Vector256.Max(Magnitude(a), Magnitude(b)), Vector256.Max(Magnitude(c), Magnitude(d)));
        Vector128<int> four = Vector128.Max(bits.GetLower(), bits.GetUpper());
        four = Vector128.Max(four, Vector128.Shuffle(four, Vector128.Create(2, 3, 0, 1)));
        float greatest = BitConverter.Int32BitsToSingle(Math.Max(four[0], four[1]));
        if (!(greatest >= ZeroBelow && float.IsFinite(greatest)))
        {
            scale = float.IsFinite(greatest) ? 0 : float.NaN;
            (low, high) = (0, 0);
            Vector256<sbyte>.Zero.Store(codes);
            return;
        }

        scale = greatest / 127;
        float inverse = 127 / greatest;
        Vector256<int> p = BlockMath.Nearest(a * inverse), q = BlockMath.Nearest(b * inverse), r = BlockMath.Nearest(c * inverse), s = BlockMath.Nearest(d * inverse);
        Vector256.Narrow(Vector256.Narrow(p, q), Vector256.Narrow(r, s)).Store(codes);
        (low, high) = (Vector256.Sum(p + q), Vector256.Sum(r + s));
    }

    private static Vector256<int> Magnitude(Vector256<float> values) => values.AsInt32() & Vector256.Create(int.MaxValue);

    /// <summary>The scalar twin of one block: d and the 32 codes.</summary>
    internal static float Scalar(ReadOnlySpan<float> values, Span<int> codes)
    {
        float greatest = 0;
        foreach (float value in values)
            greatest = float.IsNaN(value) ? float.NaN : Math.Max(greatest, Math.Abs(value));
        codes.Clear();
        if (!float.IsFinite(greatest))
            return float.NaN;
        if (greatest < ZeroBelow)
            return 0;
        for (int i = 0; i < codes.Length; i++)
            codes[i] = (int)MathF.Round(values[i] * (127 / greatest), MidpointRounding.ToEven);
        return greatest / 127;
    }

    private struct Plan
    {
        public MatrixView Rows;
        public byte* Target;
        public int Blocks, PartBlocks, TileParts, Height;
    }
}
