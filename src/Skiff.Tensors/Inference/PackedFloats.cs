// M rows of activations, N outputs, K inputs
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Skiff.Tensors;

/// <summary>
/// Weights of 32 or 16 bits in panels of 32 outputs: for each input the weights of all outputs of the panel. The tiles are those of
/// <see cref="MatrixProduct"/>; weights of 16 bits are widened into the caches before. Sums run over 256 or, of
/// widened weights, 64 inputs, and those are added in order.
/// </summary>
internal sealed unsafe class PackedFloats : PackedMatrix
{
    private const int Width = 32;

    // Steps whose sum is added to the result; as many as are widened at a time.
    private const int MostSteps = 256, WidenedSteps = 64;

    // Rows that share what is widened; their steps of x (96 KiB) stay in the second-level cache while panels pass.
    private const int BlockRows = 96;
    private const int BlockPanels = 4;

    private PackedFloats(Tensor weight, TensorType type)
        : base(checked((int)weight.Rows), weight.Columns, type, Width, (long)Width * weight.Columns * type.BlockBytes())
    {
    }

    public static PackedMatrix Of(Tensor weight) => new PackedFloats(weight, weight.Type is TensorType.F16 or TensorType.BF16 ? weight.Type : TensorType.F32);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private protected override void Fill(Tensor weight, int panel, byte* target, bool[] isDamaged)
    {
        int first = panel * Width, outputs = Math.Min(Width, Outputs - first);
        if (outputs < Width)
            new Span<byte>(target, checked((int)PanelBytes)).Clear();
        // A row is read whole: its values go to places far apart, but a panel stays in the second-level cache.
        float* row = Type == TensorType.F32 ? Scratch.Own(Inputs) : null;
        for (int output = 0; output < outputs; output++)
        {
            if (Type == TensorType.F32)
            {
                weight.ReadRow(first + output, new Span<float>(row, Inputs));
                for (int i = 0; i < Inputs; i++)
                    ((float*)target)[(long)i * Width + output] = row[i];
                continue;
            }

            ushort* source = (ushort*)weight.Data + (long)(first + output) * Inputs;
            bool isDamagedRow = false;
            for (int i = 0; i < Inputs; i++)
            {
                bool isWhole = Type == TensorType.BF16 || (source[i] & 0x7C00) != 0x7C00;
                isDamagedRow |= !isWhole;
                ((ushort*)target)[(long)i * Width + output] = isWhole ? source[i] : (ushort)0;
            }

            isDamaged[first + output] = isDamagedRow;
        }
    }

    private protected override void Prepare(Activations x, ThreadTeam team, PackedPlan* plan)
    {
        int height = MicroKernel.Of(plan->Isa).Rows;
        plan->Shares = Share(plan->Y.Rows, height, BlockPanels, team);
        (plan->X, plan->Type) = (x.Values, Type);
        plan->Part = &Multiply;
        plan->Tiles = plan->Y.Rows > height ? x.Tiles(height, team) : null;
    }

    private static void Multiply(PackedPlan* plan, int part)
    {
        (int first, int end) = plan->Shares.Range(part);
        int inputs = plan->X.Columns, height = MicroKernel.Of(plan->Isa).Rows, steps = plan->Type == TensorType.F32 ? MostSteps : WidenedSteps;
        float* room = Scratch.Own(WidenedSteps * Width + height * Width);
        if (plan->Tiles is null)
        {
            // Few rows: one stream through the weights.
            for (int panel = first; panel < end; panel++)
                for (int step = 0; step < inputs; step += steps)
                    Block(plan, panel, step, 0, plan->Y.Rows, room);
            return;
        }

        for (int row = 0; row < plan->Y.Rows; row += BlockRows)
            for (int step = 0; step < inputs; step += steps)
                for (int panel = first; panel < end; panel++)
                    Block(plan, panel, step, row, Math.Min(BlockRows, plan->Y.Rows - row), room);
    }

    // Steps of one panel for some rows.
    private static void Block(PackedPlan* plan, int panel, int step, int row, int rows, float* room)
    {
        MicroKernel kernel = MicroKernel.Of(plan->Isa);
        int length = Math.Min(plan->Type == TensorType.F32 ? MostSteps : WidenedSteps, plan->X.Columns - step), columns = Math.Min(Width, plan->Y.Columns - panel * Width), height = kernel.Rows;
        float* weights = Widened(plan, panel, step, length, room), tile = room + WidenedSteps * Width;
        nint xRow = (nint)plan->X.RowStride, yRow = (nint)plan->Y.RowStride;
        for (int r = 0; r < rows; r += height)
        {
            int count = Math.Min(height, rows - r);
            bool isPacked = plan->Tiles is not null;
            float* x = isPacked ? plan->Tiles + (long)(row + r) * plan->X.Columns + (long)step * height : plan->X.Data + (row + r) * xRow + step, y = plan->Y.Data + (row + r) * yRow + panel * Width;
            (nint along, nint next) = isPacked ? (1, height) : (xRow, 1);
            for (int column = 0; column < columns; column += kernel.Columns)
            {
                if (columns - column >= kernel.Columns)
                {
                    kernel.Tile(count)(length, x, along, next, weights + column, Width, y + column, yRow, step > 0, x, 0);
                    continue;
                }

                int valid = columns - column;
                kernel.Tile(count)(length, x, along, next, weights + column, Width, tile, Width, false, x, 0);
                for (int i = 0; i < count; i++)
                    for (int j = 0; j < valid; j++)
                        y[i * yRow + column + j] = step > 0 ? y[i * yRow + column + j] + tile[i * Width + j] : tile[i * Width + j];
            }
        }
    }

    private static float* Widened(PackedPlan* plan, int panel, int step, int length, float* room)
    {
        byte* source = plan->Weights + panel * plan->PanelBytes;
        if (plan->Type == TensorType.F32)
            return (float*)source + (long)step * Width;
        source += 2 * (long)step * Width;
        if (plan->Type == TensorType.F16)
            WidenHalves(source, length, room);
        else
            WidenBFloats(source, length, room);
        return room;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void WidenHalves(byte* source, int length, float* target)
    {
        for (; length > 0; length--, source += 2 * Width, target += Width)
        {
            PanelPacking.Ahead((float*)(source + 4096));
            Sixteen.Halves(source).Store(target);
            Sixteen.Halves(source + 32).Store(target + 16);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void WidenBFloats(byte* source, int length, float* target)
    {
        for (; length > 0; length--, source += 2 * Width, target += Width)
        {
            PanelPacking.Ahead((float*)(source + 4096));
            Sixteen.BFloats(source).Store(target);
            Sixteen.BFloats(source + 32).Store(target + 16);
        }
    }
}
