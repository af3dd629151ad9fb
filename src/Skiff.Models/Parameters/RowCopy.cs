using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>Copies rows between tensors of any two number types.</summary>
internal static unsafe class RowCopy
{
    /// <summary>
    /// Copies row <paramref name="from"/> to row <paramref name="to"/>, adding <paramref name="shift"/>; byte for byte
    /// where types agree and nothing is added, so that quantized weights are never quantized twice.
    /// </summary>
    /// <remarks>A row has <c>columns</c> values; a vector is rows of 1. <c>scratch</c> has room for one row, <c>importance</c> is that of its values or empty.</remarks>
    public static void Copy(Tensor source, long from, Tensor target, long to, int columns, float shift, ReadOnlySpan<float> importance, Span<float> scratch)
    {
        long sourceBytes = source.Type.ByteLength(columns), targetBytes = target.Type.ByteLength(columns);
        ReadOnlySpan<byte> input = new(source.Data + from * sourceBytes, checked((int)sourceBytes));
        Span<byte> output = new(target.Data + to * targetBytes, checked((int)targetBytes));
        if (source.Type == target.Type && shift == 0)
        {
            input.CopyTo(output);
        }
        else
        {
            Span<float> row = scratch[..columns];
            NumberFormats.Decode(source.Type, input, row);
            if (shift != 0)
                System.Numerics.Tensors.TensorPrimitives.Add(row, shift, row);
            if (importance.IsEmpty)
                NumberFormats.Encode(target.Type, row, output);
            else
                ImportantBlocks.Encode(target.Type, row, importance, output);
        }

        GC.KeepAlive(source);
        GC.KeepAlive(target);
    }
}
