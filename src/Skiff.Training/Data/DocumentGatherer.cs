using System.Text.Unicode;
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Training;

/// <summary>
/// Gathers whole documents into batches of about <see cref="BatchBytes"/>. Empty documents are none; the first
/// <paramref name="skip"/> others are read and left out, because finished shards hold them.
/// </summary>
internal sealed class DocumentGatherer(long skip, Func<DocumentBatch> rent, Action<DocumentBatch> emit) : ITextSink
{
    /// <summary>Longest document, in bytes: it is tokenised as one text.</summary>
    public const int LongestDocument = 1 << 28;

    /// <summary>A batch is full with the document that brings it to this many bytes.</summary>
    public const int BatchBytes = 1 << 19;

    private DocumentBatch _batch = rent();
    private long _skip = skip;

    /// <summary>The file being read.</summary>
    public string Source { get; set; } = "";

    /// <summary>The line being read, from 1; 0 where documents are no lines.</summary>
    public long Line { get; set; }

    /// <summary>Bytes of all sources read so far.</summary>
    public long SourceBytes { get; set; }

    public long Position { get; set; }

    private int Open => _batch.TextEnds.Count == 0 ? 0 : _batch.TextEnds[^1];

    public Span<byte> Room(int count)
    {
        if (_batch.Length - Open > LongestDocument)
            throw new InvalidInputException(Source, "document", $"longer than {LongestDocument} bytes: split it");
        int needed = checked(_batch.Length + count);
        if (needed > _batch.Text.Length)
            Array.Resize(ref _batch.Text, (int)Math.Min(Array.MaxLength, Math.Max(needed, 2L * _batch.Text.Length)));
        return _batch.Text.AsSpan(_batch.Length, count);
    }

    public void Advance(int count) => _batch.Length += count;

    public void EndDocument()
    {
        int open = Open;
        if (_batch.Length == open)
            return;
        if (_skip > 0)
        {
            _skip--;
            _batch.Length = open;
            return;
        }

        ReadOnlySpan<byte> text = _batch.Text.AsSpan(open, _batch.Length - open);
        if (!Utf8.IsValid(text))
            throw new InvalidInputException(Source, Line > 0 ? $"line {Line}" : $"byte {Position + TextChunker.FirstInvalid(text)}", "not UTF-8 text: convert the file first");
        _batch.TextEnds.Add(_batch.Length);
        _batch.Origins.Add((Source, Line));
        if (_batch.Length >= BatchBytes)
            Flush();
    }

    /// <summary>Emits what is left.</summary>
    public void Flush()
    {
        if (_batch.TextEnds.Count == 0)
            return;
        _batch.SourceBytes = SourceBytes;
        emit(_batch);
        _batch = rent();
    }
}
