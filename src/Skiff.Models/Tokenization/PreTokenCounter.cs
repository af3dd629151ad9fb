using System.Buffers;

namespace Skiff.Models;

/// <summary>Cuts chunks into pre-tokens and counts the distinct ones. One a thread; <see cref="Take"/> adds them up.</summary>
internal sealed unsafe class PreTokenCounter
{
    private readonly KnownPattern _pattern;
    private readonly byte[][] _specialTokens;
    private readonly SearchValues<byte> _specialStarts;

    public PreTokenCounter(KnownPattern pattern, IReadOnlyList<byte[]> specialTokens)
    {
        _pattern = pattern;
        // Where several special tokens start at one place, the longest is meant.
        _specialTokens = [.. specialTokens.OrderByDescending(token => token.Length)];
        _specialStarts = SearchValues.Create([.. specialTokens.Select(token => token[0])]);
    }

    /// <summary>The distinct pre-tokens.</summary>
    public WordTable Words { get; } = new();

    /// <summary>Bytes of text seen, special tokens included.</summary>
    public long Bytes { get; private set; }

    /// <summary>Pre-tokens seen.</summary>
    public long PreTokens { get; private set; }

    /// <summary>Special tokens seen.</summary>
    public long SpecialTokens { get; private set; }

    /// <summary>Counts a chunk, piece by piece.</summary>
    public void Count(TextChunk chunk)
    {
        Bytes += chunk.Length;
        fixed (byte* text = chunk.Text)
        {
            int start = 0;
            foreach (int end in chunk.Ends)
            {
                CountPiece(text + start, text + end);
                start = end;
            }
        }
    }

    /// <summary>Adds the counts of another counter to these.</summary>
    public void Take(PreTokenCounter other)
    {
        other.Words.ForEach(Words.Add);
        Bytes += other.Bytes;
        PreTokens += other.PreTokens;
        SpecialTokens += other.SpecialTokens;
    }

    private void CountPiece(byte* at, byte* end)
    {
        byte* next = at;
        while (true)
        {
            ReadOnlySpan<byte> rest = new(next, (int)(end - next));
            int found = rest.IndexOfAny(_specialStarts);
            if (found < 0)
                break;
            next += found;
            int length = SpecialAt(rest[found..]);
            if (length == 0)
            {
                next++;
                continue;
            }

            CountPlain(at, next);
            SpecialTokens++;
            next += length;
            at = next;
        }

        CountPlain(at, end);
    }

    private int SpecialAt(ReadOnlySpan<byte> text)
    {
        foreach (byte[] token in _specialTokens)
        {
            if (text.StartsWith(token))
                return token.Length;
        }

        return 0;
    }

    private void CountPlain(byte* at, byte* end)
    {
        while (at < end)
        {
            byte* next = _pattern switch
            {
                KnownPattern.Gpt2 => Utf8Scanner.Gpt2(at, end, digits: false),
                KnownPattern.Llama3 => Utf8Scanner.Llama3(at, end, digits: 3),
                _ => Utf8Scanner.Llama3(at, end, digits: 1),
            };
            Words.Add(new ReadOnlySpan<byte>(at, (int)(next - at)), 1);
            PreTokens++;
            at = next;
        }
    }
}
