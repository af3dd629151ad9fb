using System.Text;
using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>
/// Encodes a text and finds out which token is the first behind a place in it. The ids are the engine's; where each token
/// begins follows from the tokens' own bytes, which are checked against the text, so an answer is exact or a refusal.
/// Safe for concurrent use.
/// </summary>
internal sealed class TokenBorders
{
    // Characters that are normalized as one: the longest clusters are a few marks on a letter.
    private const int WidestCluster = 64;

    private const string Letter = "x";

    private readonly TokenizerSpec _spec;
    private readonly TokenEncoder _engine;
    private readonly bool _isByteLevel;
    private readonly bool _insertsSpace;
    private readonly char _mark = ' ';
    private readonly byte[]?[] _bytes;

    /// <summary>Refuses a tokenizer whose tokens cannot be traced.</summary>
    /// <exception cref="InvalidInputException">It drops parts of the text.</exception>
    public TokenBorders(Tokenizer tokenizer)
    {
        _spec = tokenizer.Spec;
        _engine = tokenizer.Engine;
        _bytes = new byte[]?[_spec.Model.Vocabulary.Size];
        foreach (PreTokenizer part in TokenEncoder.Flatten(_spec.PreTokenizer))
        {
            if (part is WordPreTokenizer or DelimiterPreTokenizer or ClassPreTokenizer { Behavior: SplitBehavior.Removed } or SplitPreTokenizer { Behavior: SplitBehavior.Removed, Invert: false })
                throw new InvalidInputException(_spec.Source, "pre_tokenizer", "drops parts of the text, so tokens cannot be traced back to it: use another tokenizer");
            _isByteLevel |= part is ByteLevelPreTokenizer;
            _insertsSpace |= part is ByteLevelPreTokenizer { AddPrefixSpace: true } or MetaspacePreTokenizer { Scheme: not PrependScheme.Never };
            if (part is MetaspacePreTokenizer metaspace)
                _mark = metaspace.Replacement;
        }
    }

    /// <summary>
    /// Appends the ids of a text to a workspace, special tokens in it being parsed and none put around it, and returns for
    /// each place the index in the workspace of the first id that begins there or behind it. A token begins where its first
    /// character does; what the tokenizer puts in by itself begins with the character behind it.
    /// </summary>
    /// <param name="text">The text.</param>
    /// <param name="places">Places in it, in UTF-16 code units, in ascending order.</param>
    /// <param name="workspace">Takes the ids.</param>
    /// <exception cref="InvalidInputException">A token near a place cannot be traced back to the text.</exception>
    public int[] Encode(string text, IReadOnlyList<int> places, Workspace workspace)
    {
        TokenTrace trace = new();
        workspace.Trace = trace;
        _engine.Encode(text, workspace, addSpecial: false, parseSpecial: true);
        workspace.Trace = null;

        Walk walk = new(text, trace, workspace.Ids.AsMemory(0, workspace.Count));
        int[] first = new int[places.Count];
        int segment = 0;
        for (int i = 0; i < first.Length; i++)
        {
            while (segment < trace.Segments.Count && trace.Segments[segment].End <= places[i])
                segment++;
            first[i] = FirstId(walk, segment, places[i]);
        }

        return first;
    }

    private int FirstId(Walk walk, int index, int place)
    {
        int first = walk.FirstStretch(index), last = walk.FirstStretch(index + 1);
        if (index == walk.Trace.Segments.Count || place <= walk.Trace.Segments[index].Start)
            return walk.FirstId(first);
        TokenSegment segment = walk.Trace.Segments[index];
        // In normalized text: where the place is, or the cluster of characters that it lies in.
        (int low, int high) = ReferenceEquals(segment.Text, walk.Text) ? (place, place) : Normalized(walk.Text, segment, place);
        for (int i = first; i < last; i++)
        {
            TokenStretch stretch = walk.Trace.Stretches[i];
            if (stretch.From >= high)
                return stretch.FirstId;
            if (stretch.To <= low)
                continue;
            // Tokens within a cluster's first character belong to it.
            int lowByte = low < stretch.From ? -1
                : low == high ? Bytes(segment.Text, stretch.From, low)
                : Bytes(segment.Text, stretch.From, low + (char.IsHighSurrogate(segment.Text[low]) ? 2 : 1)) - 1;
            int highByte = high >= stretch.To ? int.MaxValue : Bytes(segment.Text, stretch.From, high);
            List<int> starts = Starts(walk, segment.Text, i);
            for (int n = 0; n < starts.Count; n++)
            {
                if (starts[n] >= highByte)
                    return stretch.FirstId + n;
                if (starts[n] > lowByte && low < high)
                    throw Untraced($"a token begins among characters that are normalized as one, '{Near(walk.Text, place)}'");
            }
        }

        return walk.FirstId(last);
    }

    // A place is exact where both sides normalized apart are the whole. Where they are not, characters of both sides became
    // one thing, which begins before the place.
    private (int Low, int High) Normalized(string text, TokenSegment segment, int place)
    {
        if (Splits(text, segment, place, out int at))
            return (at, at);
        (int low, int high) = (0, segment.Text.Length);
        for (int before = place - 1; before > segment.Start && before >= place - WidestCluster; before--)
        {
            if (Splits(text, segment, before, out at))
            {
                low = at;
                break;
            }
        }

        for (int behind = place + 1; behind < segment.End && behind <= place + WidestCluster; behind++)
        {
            if (Splits(text, segment, behind, out at))
            {
                high = at;
                break;
            }
        }

        return (low, high);
    }

    // A letter stands for the other side: what is done only at the ends of a text must not be done at the place.
    private bool Splits(string text, TokenSegment segment, int place, out int at)
    {
        Normalizer normalizer = _spec.Normalizer!;
        string left = normalizer.Apply(text[segment.Start..place] + Letter), right = normalizer.Apply(Letter + text[place..segment.End]), head = normalizer.Apply(Letter);
        at = left.Length - Letter.Length;
        return left.EndsWith(Letter, StringComparison.Ordinal) && right.StartsWith(head, StringComparison.Ordinal)
            && at + right.Length - head.Length == segment.Text.Length
            && segment.Text.AsSpan().StartsWith(left.AsSpan(0, at)) && segment.Text.AsSpan().EndsWith(right.AsSpan(head.Length));
    }

    // Where each token of a stretch begins, in UTF-8 bytes from the stretch's start.
    private List<int> Starts(Walk walk, string text, int index)
    {
        if (walk.Traced == index)
            return walk.Starts;
        (walk.Traced, walk.Starts) = (index, []);
        TokenStretch stretch = walk.Trace.Stretches[index];
        if (stretch.IsToken)
        {
            walk.Starts.Add(0);
            return walk.Starts;
        }

        byte[] utf8 = Encoding.UTF8.GetBytes(text[stretch.From..stretch.To].Replace(_mark, ' '));
        ReadOnlySpan<byte> rest = utf8;
        ReadOnlySpan<int> ids = walk.Ids.Span[stretch.FirstId..walk.FirstId(index + 1)];
        for (int i = 0; i < ids.Length; i++)
        {
            walk.Starts.Add(utf8.Length - rest.Length);
            int length = Length(ids[i], rest);
            if (length < 0 && ids[i] == _spec.Model.UnknownId)
                length = UnknownLength(rest, ids[(i + 1)..]);
            if (length < 0)
                throw Untraced($"'{_spec.Model.Vocabulary[ids[i]]}' does not stand where it should");
            rest = rest[length..];
        }

        return rest.IsEmpty ? walk.Starts : throw Untraced("they do not cover it");
    }

    // The bytes that a token takes of a text, or -1 where it does not stand there.
    private int Length(int id, ReadOnlySpan<byte> text)
    {
        ReadOnlySpan<byte> token = BytesOf(id);
        if (text.StartsWith(token))
            return token.Length;
        return _insertsSpace && token.Length > 0 && token[0] == ' ' && text.StartsWith(token[1..]) ? token.Length - 1 : -1;
    }

    // A run of unknown characters may be one token: it ends where the next token stands.
    private int UnknownLength(ReadOnlySpan<byte> text, ReadOnlySpan<int> following)
    {
        int length = 0;
        while (length < text.Length)
        {
            Rune.DecodeFromUtf8(text[length..], out _, out int used);
            length += used;
            if (following.Length > 0 && (following[0] == _spec.Model.UnknownId || Length(following[0], text[length..]) >= 0))
                break;
        }

        return length == 0 ? -1 : length;
    }

    private byte[] BytesOf(int id)
    {
        if (_bytes[id] is byte[] known)
            return known;
        string token = _spec.Model.Vocabulary[id] ?? "";
        byte[] bytes = _isByteLevel && ByteAlphabet.BytesOf(token) is byte[] spelled ? spelled
            : ByteAlphabet.FallbackByte(token) is int value and >= 0 ? [(byte)value]
            : Encoding.UTF8.GetBytes(token.Replace(_mark, ' '));
        // Two threads may both work one out; they find the same.
        return _bytes[id] = bytes;
    }

    private int Bytes(string text, int from, int to) => Encoding.UTF8.GetByteCount(text[from..to].Replace(_mark, ' '));

    private static string Near(string text, int place) => text[Math.Max(0, place - 8)..Math.Min(text.Length, place + 8)];

    private InvalidInputException Untraced(string problem) => new(_spec.Source, "tokens", $"cannot be traced back to the text: {problem}");

    /// <summary>One encode being looked at.</summary>
    private sealed class Walk(string text, TokenTrace trace, ReadOnlyMemory<int> ids)
    {
        public string Text => text;

        public TokenTrace Trace => trace;

        public ReadOnlyMemory<int> Ids => ids;

        /// <summary>The stretch that <see cref="Starts"/> is of.</summary>
        public int Traced { get; set; } = -1;

        public List<int> Starts { get; set; } = [];

        /// <summary>The first stretch of a segment, or of what follows the last one.</summary>
        public int FirstStretch(int segment) => segment < trace.Segments.Count ? trace.Segments[segment].FirstStretch : trace.Stretches.Count;

        /// <summary>The first id of a stretch, or of what follows the last one.</summary>
        public int FirstId(int stretch) => stretch < trace.Stretches.Count ? trace.Stretches[stretch].FirstId : ids.Length;
    }
}
