using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Skiff.Tensors;

/// <summary>
/// Copies a strip of a matrix into a panel: step l holds the strip's values one after the other, filled up with zeros to the
/// width of a tile, so that the innermost product reads one stream. Serves rows of a and columns of b alike.
/// </summary>
internal static unsafe class PanelPacking
{
    // Steps from what is read to what is asked of memory: strides beyond a page are not foreseen by the processor.
    private const int Distance = 32;

    /// <summary>panel[l * width + i] = source[i * across + l * along] for i below <paramref name="count"/>, else 0.</summary>
    /// <param name="source">The strip's first value.</param>
    /// <param name="across">Stride between the values of one step.</param>
    /// <param name="along">Stride between steps.</param>
    /// <param name="count">Values in a step, at most <paramref name="width"/>.</param>
    /// <param name="readable">Values in a step that may be read, the strip's neighbours included.</param>
    /// <param name="length">Steps.</param>
    /// <param name="panel">[length, width] and 16 values more, which may be overwritten.</param>
    /// <param name="width">Values in a step of the panel.</param>
    public static void Pack(float* source, nint across, nint along, int count, long readable, nint length, float* panel, int width)
    {
        if (across == 1)
            Copy(source, along, count, readable, length, panel, width);
        else
            Transpose(source, across, along, count, length, panel, width);
    }

    // Whole vectors are moved, past the width where the neighbours may be read: the next step overwrites the excess.
    private static void Copy(float* source, nint along, int count, long readable, nint length, float* panel, int width)
    {
        if (count == width && width == 32)
        {
            for (nint l = 0; l < length; l++, source += along, panel += 32)
            {
                Ahead(source + Distance * along);
                Ahead(source + Distance * along + 16);
                Vector512<float> first = Vector512.Load(source), second = Vector512.Load(source + 16);
                first.Store(panel);
                second.Store(panel + 16);
            }
        }
        else if (count == width && width is > 8 and <= 16 && readable >= 16)
        {
            for (nint l = 0; l < length; l++, source += along, panel += width)
            {
                Ahead(source + Distance * along);
                Vector256<float> first = Vector256.Load(source), second = Vector256.Load(source + 8);
                first.Store(panel);
                second.Store(panel + 8);
            }
        }
        else if (count == width && width <= 8 && readable >= 8)
        {
            for (nint l = 0; l < length; l++, source += along, panel += width)
            {
                Ahead(source + Distance * along);
                Vector256.Load(source).Store(panel);
            }
        }
        else
        {
            for (nint l = 0; l < length; l++, source += along, panel += width)
            {
                new ReadOnlySpan<float>(source, count).CopyTo(new Span<float>(panel, count));
                new Span<float>(panel + count, width - count).Clear();
            }
        }
    }

    // Squares of four by four turn in registers; what is left over at either end goes value by value.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Transpose(float* source, nint across, nint along, int count, nint length, float* panel, int width)
    {
        int squares = along == 1 ? count & ~3 : 0;
        nint steps = length & ~3;
        for (int i = 0; i < squares; i += 4)
        {
            float* from = source + i * across, to = panel + i;
            for (nint l = 0; l < steps; l += 4, from += 4, to += 4 * width)
            {
                if ((l & 15) == 0)
                {
                    Ahead(from + 4 * across);
                    Ahead(from + 5 * across);
                    Ahead(from + 6 * across);
                    Ahead(from + 7 * across);
                }

                Vector128<float> r0 = Vector128.Load(from), r1 = Vector128.Load(from + across);
                Vector128<float> r2 = Vector128.Load(from + 2 * across), r3 = Vector128.Load(from + 3 * across);
                Vector128<float> low02 = Low(r0, r2), low13 = Low(r1, r3), high02 = High(r0, r2), high13 = High(r1, r3);
                Low(low02, low13).Store(to);
                High(low02, low13).Store(to + width);
                Low(high02, high13).Store(to + 2 * width);
                High(high02, high13).Store(to + 3 * width);
            }
        }

        for (nint l = 0; l < length; l++)
        {
            float* to = panel + l * width;
            for (int i = l < steps ? squares : 0; i < count; i++)
                to[i] = source[i * across + l * along];
            for (int i = count; i < width; i++)
                to[i] = 0;
        }
    }

    // Only a hint: an address outside the matrix does no harm.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Ahead(float* address)
    {
        if (Sse.IsSupported)
            Sse.Prefetch0(address);
    }

    // x0 y0 x1 y1, and x2 y2 x3 y3.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> Low(Vector128<float> x, Vector128<float> y)
        => Sse.IsSupported ? Sse.UnpackLow(x, y)
            : Vector128.Create(x[0], y[0], x[1], y[1]);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> High(Vector128<float> x, Vector128<float> y)
        => Sse.IsSupported ? Sse.UnpackHigh(x, y)
            : Vector128.Create(x[2], y[2], x[3], y[3]);
}
