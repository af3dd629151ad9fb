using System.Numerics.Tensors;

namespace Skiff.Tensors;

/// <summary>
/// C = A B or C += A B where the values of a step lie next to each other in both factors, as in weight gradients: tiles read them
/// where they are and nothing is packed. Some steps of both factors stay in the second-level cache while all tiles of a block
/// take them; meanwhile the tiles ask memory for the next ones.
/// </summary>
internal static unsafe class InPlaceProduct
{
    // Steps of both factors, those at hand and the next, and the block of C fill the second level's 1 MiB: 2 x 160 x (264 + 256)
    // and 264 x 256 values. More fall out of it; with fewer, tiles spend their time on loading and storing C.
    private const int LongestSteps = 160;
    private const int MostBlockRows = 264;
    private const int MostBlockColumns = 256;

    // Smaller blocks read too much for what they compute. Results of fewer blocks than this are shared out by ranges of K first.
    private const int FewestBlocks = 6;
    private const int MostRanges = 8;
    private const int ShortestRange = 512;
    private const int LeastBlockSide = 64;

    // Rows whose ranges are added in one part.
    private const int AddedRows = 16;

    // Values in a cache line.
    private const int Line = 16;

    /// <summary>Operands as in <see cref="MatrixProduct"/>.</summary>
    public static void Multiply(MatrixView a, MatrixView b, MatrixView c, bool accumulate, ThreadTeam? team, Isa isa)
    {
        MicroKernel kernel = MicroKernel.Of(isa);
        Plan plan = new()
        {
            A = a,
            B = b,
            C = c,
            Accumulate = accumulate,
            Isa = isa,
            Threads = team?.Threads ?? 1,
            RowTiles = (c.Rows + kernel.Rows - 1) / kernel.Rows,
            ColumnTiles = (c.Columns + kernel.Columns - 1) / kernel.Columns,
            RowBlocks = (c.Rows + MostBlockRows - 1) / MostBlockRows,
            ColumnBlocks = (c.Columns + MostBlockColumns - 1) / MostBlockColumns,
            Ranges = 1,
        };
        // Ranges and steps, and with them the order of additions, depend on the sizes alone.
        while (plan.RowBlocks * plan.ColumnBlocks * plan.Ranges < FewestBlocks && plan.Ranges < MostRanges && a.Columns / (2 * plan.Ranges) >= ShortestRange)
            plan.Ranges *= 2;
        plan.RangeSteps = (a.Columns + plan.Ranges - 1) / plan.Ranges;
        int splits = (plan.RangeSteps + LongestSteps - 1) / LongestSteps;
        plan.Steps = (plan.RangeSteps + splits - 1) / splits;
        if (plan.Ranges > 1)
            plan.Partial = Scratch.Shared((plan.Ranges - 1L) * c.Rows * c.Columns);
        if (team is null)
        {
            for (int part = 0; part < plan.Parts; part++)
                MultiplyPart(&plan, part);
            for (int part = 0; part * AddedRows < c.Rows && plan.Ranges > 1; part++)
                AddRanges(&plan, part);
            return;
        }

        // An equal number of parts for every thread.
        while (plan.Parts % team.Threads != 0 && plan.Parts < 8 * team.Threads)
        {
            int rows = c.Rows / plan.RowBlocks, columns = c.Columns / plan.ColumnBlocks;
            if (Math.Max(rows, columns) < 2 * LeastBlockSide)
                break;
            if (rows >= columns)
                plan.RowBlocks++;
            else
                plan.ColumnBlocks++;
        }

        team.Run(plan.Parts, &MultiplyPart, &plan);
        if (plan.Ranges > 1)
            team.Run((c.Rows + AddedRows - 1) / AddedRows, &AddRanges, &plan);
    }

    private static void MultiplyPart(void* state, int part)
    {
        Plan* plan = (Plan*)state;
        MicroKernel kernel = MicroKernel.Of(plan->Isa);
        int height = kernel.Rows, width = kernel.Columns;
        Block at = plan->At(part, height, width);
        int rows = at.Rows, columns = at.Columns, whole = columns / width * width;
        nint aStep = (nint)plan->A.ColumnStride, bStep = (nint)plan->B.RowStride;
        nint cRow = at.Range == 0 ? (nint)plan->C.RowStride : plan->C.Columns;
        float* block = (at.Range == 0 ? plan->C.Data : plan->Partial + (at.Range - 1L) * plan->C.Rows * plan->C.Columns) + at.Row * cRow + at.Column;
        float* tile = Scratch.Own(height * width + plan->Steps * width + 16), edge = tile + height * width;
        for (int first = at.Start; first < at.End; first += plan->Steps)
        {
            int length = Math.Min(plan->Steps, at.End - first);
            float* a = plan->A.Data + at.Row + first * aStep, b = plan->B.Data + at.Column + first * bStep;
            bool accumulate = first > at.Start || (at.Range == 0 && plan->Accumulate);
            if (whole < columns)
                PanelPacking.Pack(b + whole, 1, bStep, columns - whole, plan->B.Columns - at.Column - whole, length, edge, width);

            // What comes next: more of this block, or the start of the one that this thread is likely to take.
            Block then = at;
            then.Start = first + length;
            if (then.Start == at.End)
                then = plan->At(Math.Min(part + plan->Threads, plan->Parts - 1), height, width);
            int next = Math.Min(plan->Steps, then.End - then.Start), rowLines = (then.Rows + Line - 1) / Line, lines = rowLines + (then.Columns + Line - 1) / Line;
            float* aNext = plan->A.Data + then.Row + then.Start * aStep, bNext = plan->B.Data + then.Column + then.Start * bStep;

            // A tile asks for a line every few steps, so it takes several tiles to ask for one line of each of the next steps.
            int asked = (length + MicroKernel.AheadSteps - 1) / MicroKernel.AheadSteps, turns = Math.Max(1, (next + asked - 1) / asked), done = 0;
            for (int r = 0; r < rows; r += height)
            {
                int count = Math.Min(height, rows - r);
                for (int n = 0; n < columns; n += width, done++)
                {
                    float* ahead = b, c = block + r * cRow + n;
                    nint aheadStep = 0;
                    int line = done / turns;
                    if (line < lines)
                    {
                        aheadStep = line < rowLines ? aStep : bStep;
                        ahead = (line < rowLines ? aNext + line * Line : bNext + (line - rowLines) * Line) + done % turns * aheadStep;
                        aheadStep *= turns;
                    }

                    if (n < whole)
                        kernel.Tile(count)(length, a + r, 1, aStep, b + n, bStep, c, cRow, accumulate, ahead, aheadStep);
                    else
                        kernel.Edge(count, columns - whole, length, a + r, 1, aStep, edge, c, cRow, accumulate, tile);
                }
            }
        }
    }

    // The sums of later ranges of K, in their order.
    private static void AddRanges(void* state, int part)
    {
        Plan* plan = (Plan*)state;
        for (int row = part * AddedRows, end = Math.Min(row + AddedRows, plan->C.Rows); row < end; row++)
        {
            Span<float> c = new(plan->C.Data + row * plan->C.RowStride, plan->C.Columns);
            for (int range = 1; range < plan->Ranges; range++)
                TensorPrimitives.Add(c, new ReadOnlySpan<float>(plan->Partial + ((range - 1L) * plan->C.Rows + row) * c.Length, c.Length), c);
        }
    }

    private struct Plan
    {
        public MatrixView A, B, C;
        public float* Partial;
        public bool Accumulate;
        public Isa Isa;
        public int Threads, Steps, Ranges, RangeSteps, RowTiles, ColumnTiles, RowBlocks, ColumnBlocks;

        public readonly int Parts => RowBlocks * ColumnBlocks * Ranges;

        public readonly Block At(int part, int height, int width)
        {
            int rowBlock = part % RowBlocks, columnBlock = part / RowBlocks % ColumnBlocks, range = part / RowBlocks / ColumnBlocks;
            int row = Share(rowBlock, RowTiles, RowBlocks) * height, column = Share(columnBlock, ColumnTiles, ColumnBlocks) * width;
            return new Block
            {
                Row = row,
                Rows = Math.Min(Share(rowBlock + 1, RowTiles, RowBlocks) * height, C.Rows) - row,
                Column = column,
                Columns = Math.Min(Share(columnBlock + 1, ColumnTiles, ColumnBlocks) * width, C.Columns) - column,
                Range = range,
                Start = range * RangeSteps,
                End = Math.Min((range + 1) * RangeSteps, A.Columns),
            };
        }

        private static int Share(int block, int tiles, int blocks) => (int)((long)block * tiles / blocks);
    }

    // A part's share of C and of K.
    private struct Block
    {
        public int Row, Rows, Column, Columns, Range, Start, End;
    }
}
