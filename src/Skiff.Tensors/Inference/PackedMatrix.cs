// M rows of activations, N outputs, K inputs
namespace Skiff.Tensors;

/// <summary>
/// A weight matrix laid out once for many products y = x W^T: panels of outputs whose values lie side by side, so that one value of x
/// meets all outputs of a panel, and a product reads the memory from beginning to end once. Quantized weights keep their codes
/// and their size; x is then rounded to 8 bits in blocks of 32 (<see cref="Activations"/>), sums within a block are exact, and blocks are
/// added in order. A row's result has the same bits whatever other rows are in the call and for any number of threads.
/// An output with a half-precision weight or scale that is no finite number is NaN throughout.
/// </summary>
public abstract unsafe class PackedMatrix
{
    // Less than this is not worth a second thread.
    private const long SmallestShared = 64 << 10;

    // A thread reads at least so much in one go.
    private const long DecodePart = 128 << 10;

    // Parts per thread at most: a thread that is held back leaves few of them to the others.
    private const int MostParts = 16;

    // Bytes that are laid out in one go, after which a file's pages are let go of.
    private const long FillPart = 16 << 20;

    private readonly NativeBuffer _memory;
    private readonly bool[] _isDamaged;
    private int[] _damaged = [];

    private protected PackedMatrix(int outputs, int inputs, TensorType type, int panelOutputs, long panelBytes)
    {
        (Outputs, Inputs, Type, PanelOutputs, PanelBytes) = (outputs, inputs, type, panelOutputs, panelBytes);
        Panels = (outputs + panelOutputs - 1) / panelOutputs;
        _memory = new NativeBuffer(Panels * panelBytes, clear: false);
        _isDamaged = new bool[outputs];
    }

    /// <summary>N.</summary>
    public int Outputs { get; }

    /// <summary>K.</summary>
    public int Inputs { get; }

    /// <summary>How the weights are kept.</summary>
    public TensorType Type { get; }

    /// <summary>Bytes of native memory: those of the tensor, and what fills up the last panel.</summary>
    public long ByteLength => _memory.Length;

    private protected int PanelOutputs { get; }

    private protected long PanelBytes { get; }

    private protected int Panels { get; }

    /// <summary>Lays out a matrix; types that are neither float types of at most 32 bits nor quantized become single precision.</summary>
    /// <param name="weight">[N, K].</param>
    /// <param name="team">Threads to share the work; the process's own when null.</param>
    /// <exception cref="ArgumentException">The tensor is no matrix.</exception>
    public static PackedMatrix Pack(Tensor weight, ThreadTeam? team = null)
    {
        ArgumentNullException.ThrowIfNull(weight);
        if (weight.Shape.Count != 2)
            throw new ArgumentException($"{weight} is no matrix", nameof(weight));
        PackedMatrix packed = weight.Type.IsQuantized() ? PackedBlocks.Of(weight) : PackedFloats.Of(weight);
        // The file never lies in memory beside all of its copy.
        int stretch = (int)Math.Clamp(FillPart / packed.PanelBytes, 1, Math.Max(1, packed.Panels));
        for (int first = 0; first < packed.Panels; first += stretch)
        {
            int start = first, count = Math.Min(stretch, packed.Panels - first);
            (team ?? ThreadTeam.Default).Run(count, part => packed.Fill(weight, start + part, packed.Panel(start + part), packed._isDamaged));
            long row = (long)start * packed.PanelOutputs;
            weight.Slice(row, Math.Min((long)count * packed.PanelOutputs, packed.Outputs - row)).Forget();
        }

        packed._damaged = [.. Enumerable.Range(0, packed.Outputs).Where(output => packed._isDamaged[output])];
        GC.KeepAlive(weight);
        return packed;
    }

    /// <summary>y = x W^T.</summary>
    /// <param name="x">M rows of K values.</param>
    /// <param name="y">[M, N], rows may be apart; overwritten. Must not overlap x.</param>
    /// <param name="team">Threads to share the work; the process's own when null.</param>
    /// <exception cref="ArgumentException">Sizes do not match, or the values of a row of y lie apart.</exception>
    public void Multiply(Activations x, MatrixView y, ThreadTeam? team = null) => Multiply(x, y, team ?? ThreadTeam.Default, IsaChoice.Current);

    internal void Multiply(Activations x, MatrixView y, ThreadTeam team, Isa isa)
    {
        ArgumentNullException.ThrowIfNull(x);
        if (x.Inputs != Inputs || y.Rows != x.Rows || y.Columns != Outputs || (y.ColumnStride != 1 && y.Columns > 1))
            throw new ArgumentException($"[{x.Rows}, {x.Inputs}] times [{Outputs}, {Inputs}] transposed is not [{y.Rows}, {y.Columns}], or values of its rows lie apart", nameof(y));
        if (y.Rows == 0 || y.Columns == 0)
            return;
        Run(x, y, team, isa);
        foreach (int output in _damaged)
            for (int row = 0; row < y.Rows; row++)
                y.Data[row * y.RowStride + output] = float.NaN;
        GC.KeepAlive(this);
        GC.KeepAlive(x);
    }

    private protected abstract void Run(Activations x, MatrixView y, ThreadTeam team, Isa isa);

    // Writes one panel; what lies behind the last output is zero.
    private protected abstract void Fill(Tensor weight, int panel, byte* target, bool[] isDamaged);

    private protected byte* Panel(int panel) => _memory.Start + panel * PanelBytes;

    /// <summary>
    /// How the panels are shared out: up to <paramref name="tileRows"/> rows read the weights once, each thread a stretch of memory far from
    /// the others'; where weights serve more rows, a part has <paramref name="cachedPanels"/> panels, which stay in the caches.
    /// </summary>
    private protected Shares Share(int rows, int tileRows, int cachedPanels, ThreadTeam team)
    {
        long bytes = Panels * PanelBytes;
        bool isSmall = bytes * rows < SmallestShared;
        int parts = rows > tileRows ? (Panels + cachedPanels - 1) / cachedPanels : isSmall ? 1 : (int)Math.Clamp(bytes / DecodePart, 1, team.Threads * MostParts);
        if (!isSmall)
            parts = Math.Max(parts, team.Threads);
        parts = Math.Min(parts, Panels);
        int lanes = Math.Min(team.Threads, parts);
        return new Shares(Panels, (parts + lanes - 1) / lanes * lanes, lanes);
    }

    /// <summary>Which panels a part covers. Parts that follow each other lie in different lanes, each a stretch of memory of its own.</summary>
    private protected readonly struct Shares(int panels, int parts, int lanes)
    {
        public int Parts => parts;

        public (int First, int End) Range(int part)
        {
            long place = part % lanes * (parts / lanes) + part / lanes;
            return ((int)(place * panels / parts), (int)((place + 1) * panels / parts));
        }
    }
}
