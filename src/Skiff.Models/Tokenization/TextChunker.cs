using System.Buffers;
using System.Text;
using System.Text.Unicode;
using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>
/// Gathers documents into chunks of about a given size in bytes. A document longer than that is cut only where the
/// splitting pattern has a border whatever stands around, and outside special tokens, so that chunks change no counts.
/// </summary>
internal sealed class TextChunker(string source, int size, KnownPattern pattern, IReadOnlyList<byte[]> specialTokens, Action<TextChunk> emit) : ITextSink
{
    /// <summary>Longest stretch without a place to cut, in bytes.</summary>
    public const int LongestStretch = 1 << 28;

    private readonly int _longestSpecial = specialTokens.Select(token => token.Length).Append(1).Max();
    // Llama 3 and its kin keep the line ends behind punctuation with it.
    private readonly bool _signsTakeLines = pattern is KnownPattern.Llama3 or KnownPattern.Qwen2;
    private TextChunk _chunk = new(size + (size / 4));
    private int _searched;

    /// <summary>Where the present chunk begins in the source, in bytes: errors count from there.</summary>
    public long Position { get; set; }

    /// <summary>Room for up to <paramref name="count"/> more bytes; tell <see cref="Advance"/> how many were written.</summary>
    public Span<byte> Room(int count)
    {
        if (_chunk.Length > LongestStretch)
            throw new InvalidInputException(source, "text", $"over {LongestStretch} bytes without white space: this is no text to learn words from");
        int needed = checked(_chunk.Length + count + TextChunk.Padding);
        if (needed > _chunk.Text.Length)
            Array.Resize(ref _chunk.Text, Math.Max(needed, 2 * _chunk.Text.Length));
        return _chunk.Text.AsSpan(_chunk.Length, count);
    }

    /// <summary>Takes up <paramref name="count"/> bytes written to <see cref="Room"/>.</summary>
    public void Advance(int count)
    {
        _chunk.Length += count;
        if (_chunk.Length >= size)
            Cut();
    }

    /// <summary>Ends the present document: nothing joins across this place.</summary>
    public void EndDocument()
    {
        if (_chunk.Length > Open)
            _chunk.Ends.Add(_chunk.Length);
        if (_chunk.Length >= size)
            Flush();
    }

    /// <summary>Ends the last document and emits what is left.</summary>
    public void Flush()
    {
        if (_chunk.Length > Open)
            _chunk.Ends.Add(_chunk.Length);
        if (_chunk.Length > 0)
            Emit(_chunk.Length);
    }

    private int Open => _chunk.Ends.Count == 0 ? 0 : _chunk.Ends[^1];

    private void Cut()
    {
        int open = Open;
        ReadOnlySpan<byte> text = _chunk.Text.AsSpan(0, _chunk.Length);
        // What was searched before holds no place to cut; a character and a special token must lie wholly in view.
        int last = text.Length - Math.Max(_longestSpecial, 4);
        for (int at = last; at > Math.Max(open, _searched); at--)
        {
            if (!IsBorder(text[open..at], text[at..]) || InsideSpecial(text[open..], at - open))
                continue;
            _chunk.Ends.Add(at);
            Emit(at);
            return;
        }

        _searched = Math.Max(_searched, last);
        if (open > 0)
            Emit(open);
    }

    // No pattern has white space behind anything else within a piece, but for line ends behind signs; where a pattern has
    // those, nothing but white space follows a line end.
    private bool IsBorder(ReadOnlySpan<byte> left, ReadOnlySpan<byte> right)
    {
        // Most bytes are letters within words.
        if ((right[0] & 0xC0) == 0x80 || (char.IsAsciiLetter((char)right[0]) && left[^1] != '\n'))
            return false;
        if (Rune.DecodeLastFromUtf8(left, out Rune before, out _) != OperationStatus.Done || Rune.DecodeFromUtf8(right, out Rune after, out _) != OperationStatus.Done)
            return false;
        bool space = CharClass.Of(after.Value) == CharClass.Space;
        if (CharClass.Of(before.Value) == CharClass.Space)
            return _signsTakeLines && before.Value == '\n' && !space;
        return space && (!_signsTakeLines || after.Value is not ('\r' or '\n') || CharClass.Of(before.Value) != CharClass.Other);
    }

    private bool InsideSpecial(ReadOnlySpan<byte> text, int at)
    {
        foreach (byte[] token in specialTokens)
        {
            int from = Math.Max(0, at - token.Length + 1), to = Math.Min(text.Length, at + token.Length - 1);
            if (text[from..to].IndexOf(token) >= 0)
                return true;
        }

        return false;
    }

    private void Emit(int length)
    {
        TextChunk full = _chunk;
        ReadOnlySpan<byte> text = full.Text.AsSpan(0, length);
        if (!Utf8.IsValid(text))
            throw new InvalidInputException(source, $"byte {Position + FirstInvalid(text)}", "not UTF-8 text: convert the file first");
        int rest = full.Length - length;
        _chunk = new TextChunk(Math.Max(size + (size / 4), rest));
        full.Text.AsSpan(length, rest).CopyTo(_chunk.Text);
        _chunk.Length = rest;
        _searched = Math.Max(0, _searched - length);
        Position += length;
        full.Length = length;
        full.Text.AsSpan(length).Clear();
        emit(full);
    }

    /// <summary>Where text stops being UTF-8, in bytes.</summary>
    public static int FirstInvalid(ReadOnlySpan<byte> text)
    {
        int at = 0;
        while (Rune.DecodeFromUtf8(text[at..], out _, out int width) == OperationStatus.Done)
            at += width;
        return at;
    }
}
