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

    private readonly bool[] _isDamaged;
    private NativeBuffer? _memory;
    private byte* _panels;
    private int[] _damaged = [];

    private protected PackedMatrix(int outputs, int inputs, TensorType type, int panelOutputs, long panelBytes)
    {
        (Outputs, Inputs, Type, PanelOutputs, PanelBytes) = (outputs, inputs, type, panelOutputs, panelBytes);
        Panels = (outputs + panelOutputs - 1) / panelOutputs;
        _isDamaged = new bool[outputs];
    }

    /// <summary>N.</summary>
    public int Outputs { get; }

    /// <summary>K.</summary>
    public int Inputs { get; }

    /// <summary>How the weights are kept.</summary>
    public TensorType Type { get; }

    /// <summary>Bytes of native memory: those of the tensor, and what fills up the last panel.</summary>
    public long ByteLength => Panels * PanelBytes;

    private protected int PanelOutputs { get; }

    private protected long PanelBytes { get; }

    private protected int Panels { get; }

    /// <summary>Lays out a matrix; types that are neither float types of at most 32 bits nor quantized become single precision.</summary>
    /// <param name="weight">[N, K].</param>
    /// <param name="team">Threads to share the work; the process's own when null.</param>
    /// <exception cref="ArgumentException">The tensor is no matrix, or has no inputs.</exception>
    public static PackedMatrix Pack(Tensor weight, ThreadTeam? team = null) => Pack(weight, team ?? ThreadTeam.Default, new PanelArena(0));

    /// <summary>The same in memory that several matrices share.</summary>
    internal static PackedMatrix Pack(Tensor weight, ThreadTeam team, PanelArena arena)
    {
        ArgumentNullException.ThrowIfNull(weight);
        if (weight.Shape.Count != 2 || weight.Columns == 0)
            throw new ArgumentException($"{weight} is no matrix with inputs", nameof(weight));
        PackedMatrix packed = weight.Type.IsQuantized() ? PackedBlocks.Of(weight) : PackedFloats.Of(weight);
        packed._panels = arena.Take(packed.ByteLength, out packed._memory);
        // The file never lies in memory beside all of its copy.
        int stretch = (int)Math.Clamp(FillPart / packed.PanelBytes, 1, Math.Max(1, packed.Panels));
        for (int first = 0; first < packed.Panels; first += stretch)
        {
            int start = first, count = Math.Min(stretch, packed.Panels - first);
            team.Run(count, part => packed.Fill(weight, start + part, packed.Panel(start + part), packed._isDamaged));
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

    internal void Multiply(Activations x, MatrixView y, ThreadTeam team, Isa isa) => Multiply(x, [this], y, team, isa);

    /// <summary>The results of several matrices side by side, in one run: threads wait for each other once.</summary>
    /// <param name="x">M rows of K values.</param>
    /// <param name="matrices">N1, N2, ... outputs of the same K inputs, of any types.</param>
    /// <param name="y">[M, N1 + N2 + ...], rows may be apart; overwritten. Must not overlap x.</param>
    /// <param name="team">Threads to share the work; the process's own when null.</param>
    /// <exception cref="ArgumentException">Sizes do not match, or the values of a row of y lie apart.</exception>
    public static void Multiply(Activations x, ReadOnlySpan<PackedMatrix> matrices, MatrixView y, ThreadTeam? team = null) =>
        Multiply(x, matrices, y, team ?? ThreadTeam.Default, IsaChoice.Current);

    private static void Multiply(Activations x, ReadOnlySpan<PackedMatrix> matrices, MatrixView y, ThreadTeam team, Isa isa)
    {
        ArgumentNullException.ThrowIfNull(x);
        int outputs = 0;
        foreach (PackedMatrix matrix in matrices)
        {
            outputs = checked(outputs + matrix.Outputs);
            if (x.Inputs != matrix.Inputs)
                throw new ArgumentException($"[{x.Rows}, {x.Inputs}] does not go with the transposed of [{matrix.Outputs}, {matrix.Inputs}]", nameof(matrices));
        }

        if (y.Rows != x.Rows || y.Columns != outputs || (y.ColumnStride != 1 && y.Columns > 1))
            throw new ArgumentException($"[{x.Rows}, {x.Inputs}] times [{outputs}, {x.Inputs}] transposed is not [{y.Rows}, {y.Columns}], or values of its rows lie apart", nameof(y));
        if (y.Rows == 0 || y.Columns == 0)
            return;
        PackedPlan* plans = stackalloc PackedPlan[matrices.Length];
        int parts = 0, column = 0;
        for (int i = 0; i < matrices.Length; i++)
        {
            PackedMatrix matrix = matrices[i];
            plans[i] = new PackedPlan { Y = y.Block(0, y.Rows, column, matrix.Outputs), Isa = isa, Weights = matrix.Panel(0), PanelBytes = matrix.PanelBytes };
            matrix.Prepare(x, team, plans + i);
            parts += plans[i].Shares.Parts;
            column += matrix.Outputs;
        }

        team.Run(parts, &Part, plans);
        for (int i = 0; i < matrices.Length; i++)
        {
            MatrixView own = plans[i].Y;
            foreach (int output in matrices[i]._damaged)
                for (int row = 0; row < own.Rows; row++)
                    own.Data[row * own.RowStride + output] = float.NaN;
            GC.KeepAlive(matrices[i]);
        }

        GC.KeepAlive(x);
    }

    private static void Part(void* state, int part)
    {
        PackedPlan* plan = (PackedPlan*)state;
        for (; part >= plan->Shares.Parts; plan++)
            part -= plan->Shares.Parts;
        plan->Part(plan, part);
    }

    // Says how the product is shared out and who computes a part.
    private protected abstract void Prepare(Activations x, ThreadTeam team, PackedPlan* plan);

    // Writes one panel; what lies behind the last output is zero.
    private protected abstract void Fill(Tensor weight, int panel, byte* target, bool[] isDamaged);

    private protected byte* Panel(int panel) => _panels + panel * PanelBytes;

    /// <summary>
    /// How the panels are shared out: up to <paramref name="tileRows"/> rows read the weights once, each thread a stretch of memory far from
    /// the others'; where weights serve more rows, a part has <paramref name="cachedPanels"/> panels, which stay in the caches.
    /// </summary>
    private protected PanelShares Share(int rows, int tileRows, int cachedPanels, ThreadTeam team)
    {
        long bytes = Panels * PanelBytes;
        bool isSmall = bytes * rows < SmallestShared;
        int parts = rows > tileRows ? (Panels + cachedPanels - 1) / cachedPanels : isSmall ? 1 : (int)Math.Clamp(bytes / DecodePart, 1, team.Threads * MostParts);
        if (!isSmall)
            parts = Math.Max(parts, team.Threads);
        parts = Math.Min(parts, Panels);
        int lanes = Math.Min(team.Threads, parts);
        return new PanelShares(Panels, (parts + lanes - 1) / lanes * lanes, lanes);
    }
}
