using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>Tensors into files.</summary>
internal static class TensorStream
{
    private const int LargestPiece = 1 << 26;

    /// <summary>Fetches an entry's tensor and writes its bytes; it must be just what the header promised.</summary>
    public static void Write(Stream stream, TensorEntry entry)
    {
        Tensor tensor = entry.Load();
        if (tensor.Type != entry.Type || !tensor.Shape.SequenceEqual(entry.Shape))
            throw new InvalidOperationException($"{entry.Name} was announced as {entry.Type.Name()} {TensorPlace.Text([.. entry.Shape])}, but is {tensor}");
        Write(stream, tensor);
    }

    /// <summary>Writes a tensor's bytes, which may be more than a span holds.</summary>
    public static unsafe void Write(Stream stream, Tensor tensor)
    {
        for (long at = 0; at < tensor.ByteLength; at += LargestPiece)
            stream.Write(new ReadOnlySpan<byte>(tensor.Data + at, (int)Math.Min(LargestPiece, tensor.ByteLength - at)));
        GC.KeepAlive(tensor);
    }

    /// <summary>Writes zeros.</summary>
    public static void Pad(Stream stream, long bytes)
    {
        for (; bytes > 0; bytes--)
            stream.WriteByte(0);
    }
}
