using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>Where one tensor lies: <paramref name="Start"/> and <paramref name="Length"/> are bytes from the file's begin.</summary>
internal sealed record TensorPlace(string Name, TensorType Type, long[] Shape, long Start, long Length)
{
    /// <summary>Bytes of a tensor of a file, all arithmetic checked.</summary>
    /// <exception cref="InvalidInputException">The shape cannot exist.</exception>
    public static long BytesOf(string source, string name, TensorType type, ReadOnlySpan<long> shape)
    {
        foreach (long size in shape)
            if (size < 0)
                throw new InvalidInputException(source, name, $"shape {Text(shape)} has a negative size");
        if (shape.Length > 0 && shape[^1] > int.MaxValue)
            throw new InvalidInputException(source, name, $"shape {Text(shape)} has rows of more than {int.MaxValue} values");
        if (shape.Length > 0 && shape[^1] % type.BlockLength() != 0)
            throw new InvalidInputException(source, name, $"rows of {shape[^1]} values do not fill {type.Name()} blocks of {type.BlockLength()}");
        try
        {
            return Tensor.ByteLengthOf(type, shape);
        }
        catch (OverflowException e)
        {
            throw new InvalidInputException(source, name, $"shape {Text(shape)} holds more than 2^63 bytes", e);
        }
        catch (ArgumentException e)
        {
            throw new InvalidInputException(source, name, e.Message, e);
        }
    }

    /// <summary>Refuses two tensors that share bytes; leaves the list ordered by place.</summary>
    /// <exception cref="InvalidInputException">Two tensors overlap.</exception>
    public static void OrderWithoutOverlap(string source, List<TensorPlace> places)
    {
        places.Sort((a, b) => a.Start != b.Start ? a.Start.CompareTo(b.Start) : a.Length.CompareTo(b.Length));
        for (int i = 1; i < places.Count; i++)
            if (places[i].Start < places[i - 1].Start + places[i - 1].Length)
                throw new InvalidInputException(source, places[i].Name, $"its bytes overlap those of tensor {places[i - 1].Name}");
    }

    /// <summary>
    /// The tensor as a view of the mapped file. Where the format lets numbers lie off their natural border, they are
    /// copied: kernels may rely on aligned data.
    /// </summary>
    public unsafe Tensor View(MappedFile file)
    {
        Tensor view = file.Tensor(Start, Type, Shape);
        // Quantized blocks are read by bytes and half-precision scales.
        int border = Type.IsQuantized() ? 2 : Type.BlockBytes();
        if (Start % border == 0 || Length == 0)
            return view;
        Tensor copy = Tensor.Allocate(Type, Shape);
        Buffer.MemoryCopy(view.Data, copy.Data, Length, Length);
        GC.KeepAlive(view);
        return copy;
    }

    /// <summary>A shape as users read it: <c>[2, 3]</c>.</summary>
    public static string Text(ReadOnlySpan<long> shape) => $"[{string.Join(", ", shape.ToArray())}]";
}
