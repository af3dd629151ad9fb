using System.Buffers;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Text;
using System.Text.Json;
using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>
/// Unigram language model (Kudo 2018): the cut of a piece whose tokens' log probabilities add up highest, by Viterbi over
/// a trie of the vocabulary.
/// </summary>
internal sealed class UnigramModel : TokenModel
{
    // SentencePiece: an unknown character costs 10 more than the worst token.
    private const double UnknownPenalty = 10;

    private readonly double[] _scores;
    private readonly int _unknown;
    private readonly bool _byteFallback;
    private readonly int[]? _fallback;
    private readonly Dictionary<(int Node, char Next), int> _edges = [];
    private readonly List<int> _tokens = [-1];
    private readonly double _unknownScore;
    private readonly bool _cutsAtMark;

    /// <summary>Builds the trie; <paramref name="excluded"/> ids are never found in text.</summary>
    public UnigramModel(Vocabulary vocabulary, double[] scores, int unknown, bool byteFallback, Func<int, bool> excluded, string source)
        : base(vocabulary)
    {
        _scores = scores;
        _unknown = unknown;
        _byteFallback = byteFallback;
        if (byteFallback)
            _fallback = [.. Enumerable.Range(0, 256).Select(b => vocabulary.IdOf(ByteAlphabet.FallbackName(b)))];
        double lowest = double.MaxValue;
        _cutsAtMark = vocabulary.IdOf([Mark]) >= 0;
        foreach ((string text, int id) in vocabulary.Tokens())
        {
            if (text.Length > AddedToken.LongestContent)
                throw new InvalidInputException(source, "model.vocab", $"token {id} has over {AddedToken.LongestContent} characters");
            lowest = Math.Min(lowest, scores[id]);
            if (text.Length == 0 || id == unknown || (byteFallback && ByteAlphabet.FallbackByte(text) >= 0) || excluded(id))
                continue;
            _cutsAtMark &= !text.AsSpan().TrimStart(Mark).Contains(Mark);
            Insert(text, id);
        }

        _unknownScore = lowest - UnknownPenalty;
    }

    /// <inheritdoc/>
    public override int? UnknownId => _unknown < 0 ? null : _unknown;

    /// <summary>The log probability of a token.</summary>
    public double ScoreOf(int id) => _scores[id];

    /// <summary>Reads the model object; <paramref name="special"/> tokens are never found in text.</summary>
    public static UnigramModel Read(JsonField node, IReadOnlySet<string> special)
    {
        List<(string Text, int Id)> tokens = [];
        List<double> scores = [];
        JsonField list = node.Get("vocab");
        foreach (JsonField entry in list.Items())
        {
            entry.Expect(JsonValueKind.Array);
            if (entry.Element.GetArrayLength() != 2)
                throw entry.Refuse("is not a pair of text and score");
            tokens.Add((new JsonField(entry.Source, entry.Path, entry.Element[0]).Text(), tokens.Count));
            scores.Add(new JsonField(entry.Source, entry.Path, entry.Element[1]).Double());
        }

        int unknown = node.Int("unk_id", -1);
        if (unknown >= tokens.Count || (unknown < 0 && node.TryGet("unk_id", out _)))
            throw node.Refuse($"unk_id {unknown} is outside the {tokens.Count} tokens");
        Vocabulary vocabulary = new(tokens, node.Source, list.Path);
        return new UnigramModel(vocabulary, [.. scores], unknown, node.Bool("byte_fallback", false), id => special.Contains(vocabulary[id]!), node.Source);
    }

    /// <inheritdoc/>
    public override void Encode(ReadOnlySpan<char> piece, Workspace workspace)
    {
        // No token crosses from a word to the next mark, so the best cut of the whole is the best cut of each word.
        while (_cutsAtMark && TakeWord(ref piece, out ReadOnlySpan<char> word))
            EncodeWord(word, workspace);
        EncodeWord(piece, workspace);
    }

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter json)
    {
        json.WriteString("type", "Unigram");
        if (_unknown >= 0)
            json.WriteNumber("unk_id", _unknown);
        else
            json.WriteNull("unk_id");
        json.WriteStartArray("vocab");
        foreach ((string text, int id) in Vocabulary.Tokens())
        {
            json.WriteStartArray();
            json.WriteStringValue(text);
            json.WriteNumberValue(_scores[id]);
            json.WriteEndArray();
        }

        json.WriteEndArray();
        json.WriteBoolean("byte_fallback", _byteFallback);
    }

    private void EncodeWord(ReadOnlySpan<char> word, Workspace workspace)
    {
        ReadOnlySpan<byte> bytes = MemoryMarshal.AsBytes(word);
        if (bytes.Length > PieceCache.LongestPiece)
        {
            SearchWord(word, workspace);
            return;
        }

        Vector256<byte> key = PieceCache.Key(bytes);
        ReadOnlySpan<int> known = workspace.Cache.Find(key);
        if (known.Length > 0)
        {
            workspace.Append(known);
            return;
        }

        int start = workspace.Count;
        SearchWord(word, workspace);
        workspace.Cache.Add(key, workspace.Ids.AsSpan(start, workspace.Count - start));
    }

    private void SearchWord(ReadOnlySpan<char> word, Workspace workspace)
    {
        int length = word.Length;
        double[] best = ArrayPool<double>.Shared.Rent(length + 1);
        int[] from = ArrayPool<int>.Shared.Rent(length + 1);
        int[] token = ArrayPool<int>.Shared.Rent(length + 1);
        Search(word, best, from, token);

        // The best path is known from its end; turned around, from[i] becomes the end of the token that starts at i.
        for (int end = length, next = -1; end >= 0;)
        {
            int start = end == 0 ? -1 : from[end];
            int id = token[end];
            from[end] = next;
            if (start >= 0)
                best[start] = id;
            next = end;
            end = start;
        }

        bool fused = false;
        for (int at = 0; at < length; at = from[at])
        {
            int id = (int)best[at];
            if (id >= 0)
                workspace.Append(id);
            else
                AppendUnknown(word[at..from[at]], fused, workspace);
            fused = id < 0;
        }

        ArrayPool<double>.Shared.Return(best);
        ArrayPool<int>.Shared.Return(from);
        ArrayPool<int>.Shared.Return(token);
    }

    // best[i]: score of the best cut of the first i units; from[i], token[i]: its last token.
    private void Search(ReadOnlySpan<char> word, double[] best, int[] from, int[] token)
    {
        best.AsSpan(1, word.Length).Fill(double.NegativeInfinity);
        best[0] = 0;
        for (int at = 0; at < word.Length;)
        {
            Rune.DecodeFromUtf16(word[at..], out _, out int width);
            bool single = false;
            int node = 0;
            for (int end = at; end < word.Length && _edges.TryGetValue((node, word[end]), out node);)
            {
                int id = _tokens[node];
                end++;
                if (id < 0)
                    continue;
                single |= end - at == width;
                Improve(at, end, id, best[at] + _scores[id], best, from, token);
            }

            if (!single)
                Improve(at, at + width, -1, best[at] + _unknownScore, best, from, token);
            at += width;
        }
    }

    private static void Improve(int start, int end, int id, double score, double[] best, int[] from, int[] token)
    {
        if (score <= best[end])
            return;
        best[end] = score;
        from[end] = start;
        token[end] = id;
    }

    // Bytes where the vocabulary has them all, otherwise one unknown token a run.
    private void AppendUnknown(ReadOnlySpan<char> text, bool fused, Workspace workspace)
    {
        Span<byte> bytes = stackalloc byte[4];
        Rune.DecodeFromUtf16(text, out Rune rune, out _);
        bytes = bytes[..rune.EncodeToUtf8(bytes)];
        bool spelled = _fallback is not null;
        foreach (byte value in bytes)
            spelled &= spelled && _fallback![value] >= 0;
        if (spelled)
        {
            foreach (byte value in bytes)
                workspace.Append(_fallback![value]);
        }
        else if (!fused && _unknown >= 0)
        {
            workspace.Append(_unknown);
        }
    }

    private void Insert(string text, int id)
    {
        int node = 0;
        foreach (char c in text)
        {
            if (!_edges.TryGetValue((node, c), out int next))
            {
                next = _tokens.Count;
                _tokens.Add(-1);
                _edges.Add((node, c), next);
            }

            node = next;
        }

        _tokens[node] = id;
    }
}
