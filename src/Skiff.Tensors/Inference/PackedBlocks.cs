// M rows of activations, N outputs, K inputs
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Skiff.Tensors;

/// <summary>The quantized types: a panel of 16 outputs is the codes of all blocks of 32 inputs, then the scales of all.</summary>
internal static class PackedBlocks
{
    public static PackedMatrix Of(Tensor weight) => weight.Type switch
    {
        TensorType.Q4_0 => new PackedBlocks<FourBits, OffsetScales<OffsetEight>>(weight),
        TensorType.Q4_1 => new PackedBlocks<FourBits, MinimumScales>(weight),
        TensorType.Q5_0 => new PackedBlocks<FiveBits, OffsetScales<OffsetSixteen>>(weight),
        TensorType.Q5_1 => new PackedBlocks<FiveBits, MinimumScales>(weight),
        TensorType.Q8_0 => new PackedBlocks<EightBits, PlainScales>(weight),
        TensorType.Q4_K => new PackedBlocks<FourBits, SuperScales>(weight),
        TensorType.Q5_K => new PackedBlocks<FiveBits, SuperScales>(weight),
        TensorType.Q6_K => new PackedBlocks<SixBits, SixteenthScales>(weight),
        _ => throw new ArgumentOutOfRangeException(nameof(weight), weight.Type, "no quantized type"),
    };
}

/// <inheritdoc cref="PackedBlocks"/>
internal sealed unsafe class PackedBlocks<TCodes, TScales>(Tensor weight)
    : PackedMatrix(checked((int)weight.Rows), weight.Columns, weight.Type, Width, PanelSize(weight.Columns))
    where TCodes : struct, IPanelCodes
    where TScales : struct, IPanelScales
{
    private const int Width = 16;

    // Weights that stay in the second-level cache while tiles of rows pass.
    private const long CachedBytes = 192 << 10;

    private static int CodeBytes => Width * BlockMath.Group / 8 * TCodes.Bits;

    private static long PanelSize(int inputs) => (long)inputs / BlockMath.Group * CodeBytes + (long)inputs / BlockMath.Group / TScales.Blocks * TScales.Bytes;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private protected override void Fill(Tensor weight, int panel, byte* target, bool[] isDamaged)
    {
        int first = panel * Width, outputs = Math.Min(Width, Outputs - first), blockBytes = Type.BlockBytes(), blocks = Inputs / BlockMath.Group;
        if (outputs < Width)
            new Span<byte>(target, checked((int)PanelBytes)).Clear();
        byte* records = target + (long)blocks * CodeBytes;
        for (int output = 0; output < outputs; output++)
        {
            byte* source = weight.Data + (first + output) * Type.ByteLength(Inputs);
            bool isWhole = true;
            for (int block = 0; block < blocks; block++)
            {
                int inner = block % TScales.Blocks;
                PanelWriter.Put(PanelWriter.Codes(Type, source, inner), TCodes.Bits, target + (long)block * CodeBytes, output);
                if (inner < TScales.Blocks - 1)
                    continue;
                isWhole &= PanelWriter.PutScales(Type, source, records + (long)(block / TScales.Blocks) * TScales.Bytes, output);
                source += blockBytes;
            }

            isDamaged[first + output] = !isWhole;
        }
    }

    private protected override void Prepare(Activations x, ThreadTeam team, PackedPlan* plan)
    {
        plan->Shares = Share(plan->Y.Rows, Activations.TileRows, (int)Math.Max(1, CachedBytes / PanelBytes), team);
        plan->Quantized = x.Quantized(team);
        plan->Blocks = Inputs / BlockMath.Group;
        plan->Part = &Multiply;
        bool isWide = plan->Isa == Isa.Avx512 && Avx512BW.IsSupported && (TCodes.Bits < 8 || AvxVnni.IsSupported);
        plan->Kernel = isWide ? TCodes.Bits == 8 ? &PanelBytes512.Multiply<TScales> : &PanelProduct512.Multiply<TCodes, TScales>
            : plan->Isa != Isa.Portable ? &PanelProduct256.Multiply<TCodes, TScales> : &PanelProductPortable.Multiply<TCodes, TScales>;
        plan->RowKernel = isWide && TCodes.Bits < 8 ? &PanelRow512.Multiply<TCodes, TScales> : null;
    }

    private static void Multiply(PackedPlan* plan, int part)
    {
        (int first, int end) = plan->Shares.Range(part);
        // The narrower kernels unpack a block behind the sums.
        float* sums = Scratch.Own(Activations.TileRows * Width + Width * BlockMath.Group / sizeof(float));
        for (int row = 0; row < plan->Y.Rows; row += Activations.TileRows)
        {
            int rows = Math.Min(Activations.TileRows, plan->Y.Rows - row), step = rows == 1 && plan->RowKernel is not null ? PanelRow512.Panels : 1;
            byte* x = plan->Quantized + (long)row * plan->Blocks * Activations.BlockBytes;
            for (int panel = first; panel < end; panel += step)
            {
                int panels = Math.Min(step, end - panel), column = panel * Width, columns = Math.Min(Width * panels, plan->Y.Columns - column);
                byte* codes = plan->Weights + panel * plan->PanelBytes;
                if (step > 1)
                    plan->RowKernel(codes, plan->PanelBytes, panels, plan->Blocks, x, sums);
                else
                    plan->Kernel(codes, codes + (long)plan->Blocks * CodeBytes, plan->Blocks, x, rows, sums);
                for (int r = 0; r < rows; r++)
                    new ReadOnlySpan<float>(sums + r * Width, columns).CopyTo(new Span<float>(plan->Y.Data + (row + r) * plan->Y.RowStride + column, columns));
            }
        }
    }
}
