using System.IO.Compression;

namespace Skiff.Models;

/// <summary>
/// Decompresses gzip and refuses a file that was cut off, which <see cref="GZipStream"/> takes for the end of the data: a
/// mark is compressed behind the file, and must come out last. It is no text, so text cannot pose as it.
/// </summary>
internal sealed class GzipText(Stream file) : ReadOnlyStream
{
    private const byte Mark = 0xFF;

    private readonly GZipStream _gzip = new(new Marked(file), CompressionMode.Decompress);
    private int _held = -1;
    private bool _ended;

    /// <inheritdoc/>
    /// <exception cref="InvalidDataException">The data is broken or ends too early.</exception>
    public override int Read(Span<byte> buffer)
    {
        if (buffer.IsEmpty || _ended)
            return 0;
        if (_held < 0)
            _held = _gzip.ReadByte();
        int count = _held < 0 ? 0 : _gzip.Read(buffer);
        if (count == 0)
        {
            _ended = true;
            return _held == Mark ? 0 : throw new InvalidDataException("the compressed data ends too early");
        }

        // The last byte read is held back: it may be the mark.
        byte last = buffer[count - 1];
        buffer[..(count - 1)].CopyTo(buffer[1..]);
        buffer[0] = (byte)_held;
        _held = last;
        return count;
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
            _gzip.Dispose();
        base.Dispose(disposing);
    }

    private static byte[] CompressedMark()
    {
        using MemoryStream bytes = new();
        using (GZipStream gzip = new(bytes, CompressionLevel.Fastest))
            gzip.WriteByte(Mark);
        return bytes.ToArray();
    }

    /// <summary>The file, then the mark as one more gzip member.</summary>
    private sealed class Marked(Stream file) : ReadOnlyStream
    {
        private readonly MemoryStream _mark = new(CompressedMark());

        public override int Read(Span<byte> buffer)
        {
            int count = file.Read(buffer);
            return count > 0 ? count : _mark.Read(buffer);
        }
    }
}

/// <summary>A stream that can only be read forward.</summary>
internal abstract class ReadOnlyStream : Stream
{
    /// <inheritdoc/>
    public override bool CanRead => true;

    /// <inheritdoc/>
    public override bool CanSeek => false;

    /// <inheritdoc/>
    public override bool CanWrite => false;

    /// <inheritdoc/>
    public override long Length => throw new NotSupportedException();

    /// <inheritdoc/>
    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <inheritdoc/>
    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    /// <inheritdoc/>
    public abstract override int Read(Span<byte> buffer);

    /// <inheritdoc/>
    public override void Flush()
    {
    }

    /// <inheritdoc/>
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void SetLength(long value) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}
