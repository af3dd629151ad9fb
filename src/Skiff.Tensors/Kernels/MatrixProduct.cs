using System.Runtime.CompilerServices;

namespace Skiff.Tensors;

/// <summary>
/// C = A B or C += A B in single precision, for any strides: y = x W^T is <c>Multiply(x, w.Transposed, y)</c>, its gradients are
/// <c>Multiply(dy, w, dx)</c> and <c>Multiply(dy.Transposed, x, dw, accumulate: true)</c>. B is packed into panels that a tile
/// reads as one stream, A is read where it lies or packed block by block, and a tile of C stays in registers (Goto and van
/// de Geijn, "Anatomy of high-performance matrix multiplication", ACM TOMS 34:3; Van Zee and van de Geijn, "BLIS", 41:3).
/// Weight gradients need no packing (<see cref="InPlaceProduct"/>).
/// </summary>
public static unsafe class MatrixProduct
{
    // M, N, K: C is [M, N], A [M, K], B [K, N].
    // A panel of B (32 columns of 256 steps: 32 KiB) stays in the first-level cache while tiles go down the rows.
    private const int LongestSteps = 256;

    // A block of A (192 KiB) stays in the second level beside the panels of B that pass.
    private const int MostBlockRows = 192;

    // Values of B packed at a time: 4 MiB of the third level.
    private const long MostPacked = 1 << 20;

    // Fewest columns worth packing at a time: A is read again for each such group.
    private const int LeastPackedColumns = 1024;

    // A block of C (384 KiB) stays in the second level while the splits of K are added to it.
    private const int MostBlockColumns = 512;

    // Below this many multiply-adds, a second thread costs more than it saves.
    private const long SmallestShared = 1 << 20;

    // Rows or columns up to which a product of two row-contiguous factors is done as dot products.
    private const int MostSkinny = 16;

    /// <summary>C = A B, or C += A B. C must not overlap A or B. Every sum runs over K in an order that depends on the sizes alone,
    /// so results are the same for any number of threads.</summary>
    /// <param name="a">[M, K], any strides.</param>
    /// <param name="b">[K, N], any strides.</param>
    /// <param name="c">[M, N], values of a row or of a column next to each other; overwritten or added to. With K = 0 the product is 0.</param>
    /// <param name="accumulate">Add to C rather than overwrite it.</param>
    /// <param name="team">Threads to share the work; the process's own when null.</param>
    /// <exception cref="ArgumentException">Sizes do not match, or C has strides that leave neither rows nor columns whole.</exception>
    public static void Multiply(MatrixView a, MatrixView b, MatrixView c, bool accumulate = false, ThreadTeam? team = null)
        => Multiply(a, b, c, accumulate, team ?? ThreadTeam.Default, IsaChoice.Current);

    internal static void Multiply(MatrixView a, MatrixView b, MatrixView c, bool accumulate, ThreadTeam team, Isa isa)
    {
        if (a.Columns != b.Rows || c.Rows != a.Rows || c.Columns != b.Columns)
            throw new ArgumentException($"[{a.Rows}, {a.Columns}] times [{b.Rows}, {b.Columns}] is not [{c.Rows}, {c.Columns}]", nameof(c));
        if (c.Rows == 0 || c.Columns == 0)
            return;
        // A result that lies by columns is the transposed product: C^T = B^T A^T.
        if (c.ColumnStride != 1 && c.Columns > 1 || (c.Columns == 1 && c.RowStride == 1 && c.Rows > 1))
            (a, b, c) = (b.Transposed, a.Transposed, c.Transposed);
        if ((c.ColumnStride != 1 && c.Columns > 1) || (c.Rows > 1 && c.RowStride < c.Columns))
            throw new ArgumentException("the rows of C overlap, or neither its rows nor its columns are whole", nameof(c));
        if (a.Columns == 0)
        {
            for (int r = 0; r < c.Rows && !accumulate; r++)
                new Span<float>(c.Data + r * c.RowStride, c.Columns).Clear();
            return;
        }

        if (a.ColumnStride == 1 && b.RowStride == 1 && Math.Min(c.Rows, c.Columns) <= MostSkinny)
            SkinnyProduct.Multiply(a, b, c, accumulate, TeamFor(c, a.Columns, team));
        else if (a.RowStride == 1 && b.ColumnStride == 1)
            InPlaceProduct.Multiply(a, b, c, accumulate, TeamFor(c, a.Columns, team), isa);
        else
            Blocked(a, b, c, accumulate, TeamFor(c, a.Columns, team), isa);
    }

    private static ThreadTeam? TeamFor(MatrixView c, int steps, ThreadTeam team)
        => team.Threads > 1 && (long)c.Rows * c.Columns * steps >= SmallestShared ? team : null;

    private static void Blocked(MatrixView a, MatrixView b, MatrixView c, bool accumulate, ThreadTeam? team, Isa isa)
    {
        MicroKernel kernel = MicroKernel.Of(isa);
        int threads = team?.Threads ?? 1, m = c.Rows, n = c.Columns, k = a.Columns;
        int splits = (k + LongestSteps - 1) / LongestSteps;
        Plan plan = new()
        {
            A = a,
            B = b,
            C = c,
            Accumulate = accumulate,
            Isa = isa,
            // The split over K depends on K alone, and with it the order of additions.
            Steps = ((k + splits - 1) / splits + 3) & ~3,
            // Rows 4 KiB apart fall into the same few sets of the caches; short columns may be read where they are.
            PacksA = a.ColumnStride == 1 ? a.RowStride % 1024 == 0 && m > kernel.Rows && n > 4 * kernel.Columns : a.RowStride != 1 || k > 64,
            PacksB = b.ColumnStride != 1 || m > 4 * kernel.Rows,
        };

        // Shares of rows: sized to the caches, but enough of them that no thread waits long for the last.
        int wanted = team is null ? 1 : 4 * threads, leastRows = 4 * kernel.Rows;
        plan.RowTiles = (m + kernel.Rows - 1) / kernel.Rows;
        plan.RowBlocks = Math.Max((m + MostBlockRows - 1) / MostBlockRows, Math.Min(wanted, (m + leastRows - 1) / leastRows));

        // All of K for fewer columns rather than all columns for some of K: C comes by only once.
        int mostColumns = Up((int)Math.Max(LeastPackedColumns, MostPacked / k), kernel.Columns);
        for (int column = 0; column < n; column += mostColumns)
        {
            plan.Column = column;
            plan.Columns = Math.Min(mostColumns, n - column);
            plan.Panels = (plan.Columns + kernel.Columns - 1) / kernel.Columns;
            // Few rows: the columns are shared out too.
            int columnBlocks = team is null || plan.RowBlocks >= 2 * threads ? 1 : Math.Min(plan.Panels, (wanted + plan.RowBlocks - 1) / plan.RowBlocks);
            plan.BlockPanels = (plan.Panels + columnBlocks - 1) / columnBlocks;
            if (!plan.PacksA && k > plan.Steps)
                plan.BlockPanels = Math.Min(plan.BlockPanels, Math.Max(1, MostBlockColumns / kernel.Columns));
            columnBlocks = (plan.Panels + plan.BlockPanels - 1) / plan.BlockPanels;

            long width = (long)plan.Panels * kernel.Columns;
            int range = (int)Math.Min(Up(k, plan.Steps), Math.Max(1, MostPacked / (width * plan.Steps)) * plan.Steps);
            if (plan.PacksB)
                plan.Packed = Scratch.Shared(width * Math.Min(range, k) + 16);
            for (plan.First = 0; plan.First < k; plan.First += range)
            {
                plan.Length = Math.Min(range, k - plan.First);
                if (plan.PacksB)
                {
                    int units = plan.Panels * ((plan.Length + plan.Steps - 1) / plan.Steps);
                    plan.PartUnits = (units + wanted - 1) / wanted;
                    Run(team, (units + plan.PartUnits - 1) / plan.PartUnits, &PackPart, &plan);
                }

                Run(team, plan.RowBlocks * columnBlocks, &MultiplyPart, &plan);
            }
        }
    }

    private static void Run(ThreadTeam? team, int parts, delegate*<void*, int, void> work, Plan* plan)
    {
        if (team is not null)
        {
            team.Run(parts, work, plan);
            return;
        }

        for (int part = 0; part < parts; part++)
            work(plan, part);
    }

    // A unit is one panel over one split of K.
    private static void PackPart(void* state, int part)
    {
        Plan* plan = (Plan*)state;
        int width = MicroKernel.Of(plan->Isa).Columns, units = plan->Panels * ((plan->Length + plan->Steps - 1) / plan->Steps);
        for (int unit = part * plan->PartUnits, end = Math.Min(units, unit + plan->PartUnits); unit < end; unit++)
        {
            int first = unit / plan->Panels * plan->Steps, panel = unit % plan->Panels;
            plan->PackColumns(panel, first, Math.Min(plan->Steps, plan->Length - first), width, plan->PackedPanel(panel, first, width));
        }
    }

    private static void MultiplyPart(void* state, int part)
    {
        Plan* plan = (Plan*)state;
        MicroKernel kernel = MicroKernel.Of(plan->Isa);
        int height = kernel.Rows, width = kernel.Columns;
        int row = plan->FirstRow(part % plan->RowBlocks, height), rows = Math.Min(plan->FirstRow(part % plan->RowBlocks + 1, height), plan->C.Rows) - row;
        int firstPanel = part / plan->RowBlocks * plan->BlockPanels, endPanel = Math.Min(plan->Panels, firstPanel + plan->BlockPanels);
        nint aRow = (nint)plan->A.RowStride, aStep = (nint)plan->A.ColumnStride, cRow = (nint)plan->C.RowStride;

        // This thread's room: one tile, one panel of columns, one block of rows.
        nint panelValues = (nint)plan->Steps * height + 16;
        float* tile = Scratch.Own(height * width + plan->Steps * width + 16 + (rows + height - 1) / height * panelValues);
        float* edge = tile + height * width, block = edge + plan->Steps * width + 16;
        for (int first = 0; first < plan->Length; first += plan->Steps)
        {
            int length = Math.Min(plan->Steps, plan->Length - first);
            float* a = plan->A.Data + row * plan->A.RowStride + (plan->First + first) * plan->A.ColumnStride;
            for (int r = 0; r < rows && plan->PacksA; r += height)
                PanelPacking.Pack(a + r * aRow, aRow, aStep, Math.Min(height, rows - r), plan->A.Rows - row - r, length, block + r / height * panelValues, height);

            bool accumulate = plan->Accumulate || plan->First + first > 0;
            for (int panel = firstPanel; panel < endPanel; panel++)
            {
                int column = plan->Column + panel * width, columns = Math.Min(width, plan->Column + plan->Columns - column);
                float* b = plan->B.Data + (plan->First + first) * plan->B.RowStride + column;
                nint bStep = (nint)plan->B.RowStride;
                if (plan->PacksB)
                {
                    b = plan->PackedPanel(panel, first, width);
                    bStep = width;
                }
                else if (columns < width)
                {
                    plan->PackColumns(panel, first, length, width, edge);
                    b = edge;
                    bStep = width;
                }

                for (int r = 0; r < rows; r += height)
                {
                    int count = Math.Min(height, rows - r);
                    float* from = plan->PacksA ? block + r / height * panelValues : a + r * aRow;
                    float* c = plan->C.Data + (row + r) * plan->C.RowStride + column;
                    (nint fromRow, nint fromStep) = plan->PacksA ? (1, height) : (aRow, aStep);
                    if (columns == width)
                        kernel.Tile(count)(length, from, fromRow, fromStep, b, bStep, c, cRow, accumulate, from, 0);
                    else
                        kernel.Edge(count, columns, length, from, fromRow, fromStep, b, c, cRow, accumulate, tile);
                }
            }
        }
    }

    private static int Up(int value, int unit) => (value + unit - 1) / unit * unit;

    // What the parts of one run share. Column and Columns are those packed at present, First and Length the steps of K.
    private struct Plan
    {
        public MatrixView A, B, C;
        public float* Packed;
        public Isa Isa;
        public bool Accumulate, PacksA, PacksB;
        public int Steps, RowTiles, RowBlocks, BlockPanels, Column, Columns, Panels, First, Length, PartUnits;

        // Whole tiles, spread evenly: a short last block would leave its thread waiting.
        public readonly int FirstRow(int block, int height) => (int)((long)block * RowTiles / RowBlocks) * height;

        public readonly float* PackedPanel(int panel, int first, int width)
            => Packed + (long)first * Panels * width + (long)panel * width * Math.Min(Steps, Length - first);

        [MethodImpl(MethodImplOptions.NoInlining)]
        public readonly void PackColumns(int panel, int first, int length, int width, float* target)
        {
            int column = Column + panel * width;
            float* source = B.Data + (First + first) * B.RowStride + column * B.ColumnStride;
            PanelPacking.Pack(source, (nint)B.ColumnStride, (nint)B.RowStride, Math.Min(width, Column + Columns - column), B.Columns - column, length, target, width);
        }
    }
}
