using System.Collections.Concurrent;
using System.Text;
using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>Runs a tokenizer: added tokens, normalizer, pre-tokenizer, model, post-processor.</summary>
internal sealed unsafe class TokenEncoder
{
    private const int Padding = 32;

    // Three bytes a character must fit an array.
    private const int LongestText = 500_000_000;

    private readonly TokenizerSpec _spec;
    private readonly int[] _before;
    private readonly int[] _after;
    private readonly AddedTokenMatcher _raw;
    private readonly AddedTokenMatcher _rawPlain;
    private readonly AddedTokenMatcher _normalized;
    private readonly AddedTokenMatcher _normalizedPlain;
    private readonly BpeModel? _bytesModel;
    private readonly PreTokenizer[] _cuts;
    private readonly ByteLevelPreTokenizer? _byteLevel;
    private readonly KnownPattern _pattern;
    private readonly ConcurrentBag<Workspace> _workspaces = [];

    /// <summary>Works out the quickest way to run a form; with <paramref name="plain"/> every part runs as it is written.</summary>
    public TokenEncoder(TokenizerSpec spec, bool plain = false)
    {
        _spec = spec;
        _before = [.. spec.PostProcessor?.Before ?? []];
        _after = [.. spec.PostProcessor?.After ?? []];
        (string Content, AddedToken Token)[] raw = [.. spec.AddedTokens.Where(t => !t.Normalized).Select(t => (t.Content, t))];
        (string Content, AddedToken Token)[] normalized =
            [.. spec.AddedTokens.Where(t => t.Normalized).Select(t => (spec.Normalizer?.Apply(t.Content) ?? t.Content, t))];
        _raw = new AddedTokenMatcher(raw);
        _rawPlain = new AddedTokenMatcher(raw, plainSpecial: true);
        _normalized = new AddedTokenMatcher(normalized);
        _normalizedPlain = new AddedTokenMatcher(normalized, plainSpecial: true);
        PreTokenizer[] parts = [.. Flatten(spec.PreTokenizer)];
        _cuts = parts;
        if (plain || spec.Model is not BpeModel { IsByteLevel: true } model || parts.Length == 0 || parts[^1] is not ByteLevelPreTokenizer last)
            return;
        _bytesModel = model;
        _byteLevel = last;
        _cuts = parts[..^1];
        _pattern = FindPattern();
    }

    /// <summary>Scratch memory for one encode.</summary>
    public Workspace Rent() => _workspaces.TryTake(out Workspace? workspace) ? workspace : new Workspace();

    /// <summary>Gives scratch memory back, its ids having been copied.</summary>
    public void Return(Workspace workspace)
    {
        workspace.Reset();
        _workspaces.Add(workspace);
    }

    /// <summary>Appends the ids of a text to the workspace.</summary>
    public void Encode(string text, Workspace workspace, bool addSpecial, bool parseSpecial)
    {
        if (text.Length > LongestText)
            throw new InvalidInputException("text", "length", $"{text.Length} characters are more than the {LongestText} one text may have; split it");
        if (addSpecial)
            workspace.Append(_before);
        AddedTokenMatcher matcher = parseSpecial ? _raw : _rawPlain;
        int at = 0;
        if (!matcher.IsEmpty)
        {
            while (matcher.Next(text, at, out int start, out int end, out int id))
            {
                EncodeSegment(text, at, start, workspace, parseSpecial);
                workspace.Trace?.AddSegment(start, end, text);
                workspace.Trace?.AddStretch(start, end, workspace.Count, isToken: true);
                workspace.Append(id);
                at = end;
            }
        }

        EncodeSegment(text, at, text.Length, workspace, parseSpecial);
        if (addSpecial)
            workspace.Append(_after);
    }

    private void EncodeSegment(string text, int start, int end, Workspace workspace, bool parseSpecial)
    {
        if (start == end)
            return;
        bool atStart = start == 0;
        (int rawStart, int rawEnd) = (start, end);
        if (_spec.Normalizer is Normalizer normalizer)
        {
            text = normalizer.Apply(text[start..end]);
            (start, end) = (0, text.Length);
        }

        workspace.Trace?.AddSegment(rawStart, rawEnd, text);

        AddedTokenMatcher matcher = parseSpecial ? _normalized : _normalizedPlain;
        if (!matcher.IsEmpty)
        {
            ReadOnlySpan<char> segment = text.AsSpan(0, end);
            while (matcher.Next(segment, start, out int from, out int to, out int id))
            {
                EncodePieces(text, start, from, atStart, workspace);
                workspace.Trace?.AddStretch(from, to, workspace.Count, isToken: true);
                workspace.Append(id);
                start = to;
                atStart = false;
            }
        }

        EncodePieces(text, start, end, atStart, workspace);
    }

    private void EncodePieces(string text, int start, int end, bool atStart, Workspace workspace)
    {
        if (start == end)
            return;
        workspace.Trace?.AddStretch(start, end, workspace.Count, isToken: false);
        if (_pattern != KnownPattern.None)
        {
            EncodeKnown(text.AsSpan(start, end - start), workspace);
            return;
        }

        if (_cuts.Length == 0 && _byteLevel is null)
        {
            _spec.Model.Encode(text.AsSpan(start, end - start), workspace);
            return;
        }

        PieceList pieces = workspace.Pieces;
        pieces.Start(text[start..end], atStart);
        foreach (PreTokenizer cut in _cuts)
            cut.Apply(pieces);
        _byteLevel?.Cut(pieces);
        foreach ((int from, int length) in pieces.Pieces)
        {
            ReadOnlySpan<char> piece = pieces.Text.AsSpan(from, length);
            if (_bytesModel is null)
            {
                _spec.Model.Encode(piece, workspace);
                continue;
            }

            int count = FillUtf8(piece, workspace, prefixSpace: false);
            fixed (byte* utf8 = workspace.Utf8)
                _bytesModel.EncodeBytes(utf8, count, workspace);
        }
    }

    private void EncodeKnown(ReadOnlySpan<char> text, Workspace workspace)
    {
        int count = FillUtf8(text, workspace, _byteLevel!.AddPrefixSpace && text[0] != ' ');
        BpeModel model = _bytesModel!;
        fixed (byte* utf8 = workspace.Utf8)
        {
            byte* end = utf8 + count;
            byte* next;
            switch (_pattern)
            {
                case KnownPattern.Gpt2:
                    for (byte* at = utf8; at < end; at = next)
                        model.EncodeBytes(at, (int)((next = Utf8Scanner.Gpt2(at, end, digits: false)) - at), workspace);
                    break;
                case KnownPattern.Gpt2Digits:
                    for (byte* at = utf8; at < end; at = next)
                        model.EncodeBytes(at, (int)((next = Utf8Scanner.Gpt2(at, end, digits: true)) - at), workspace);
                    break;
                default:
                    int digits = _pattern == KnownPattern.Llama3 ? 3 : 1;
                    for (byte* at = utf8; at < end; at = next)
                        model.EncodeBytes(at, (int)((next = Utf8Scanner.Llama3(at, end, digits)) - at), workspace);
                    break;
            }
        }
    }

    // Zeros behind the text: the scanners and the cache read a little further than its end.
    private static int FillUtf8(ReadOnlySpan<char> text, Workspace workspace, bool prefixSpace)
    {
        int most = checked((text.Length * 3) + 1 + Padding);
        if (workspace.Utf8.Length < most)
            workspace.Utf8 = new byte[Math.Max(256, most)];
        Span<byte> buffer = workspace.Utf8;
        int count = 0;
        if (prefixSpace)
            buffer[count++] = (byte)' ';
        count += Encoding.UTF8.GetBytes(text, buffer[count..]);
        buffer.Slice(count, Padding).Clear();
        return count;
    }

    // A hand-written scanner takes over where the parts before ByteLevel are one known cut, or nothing.
    private KnownPattern FindPattern()
    {
        if (_cuts.Length == 0)
            return _byteLevel!.UseRegex ? KnownPattern.Gpt2 : KnownPattern.None;
        if (_cuts.Length > 1 || _byteLevel!.AddPrefixSpace)
            return KnownPattern.None;
        return _cuts[0] switch
        {
            ClassPreTokenizer { Type: "Digits", Behavior: SplitBehavior.Isolated } when _byteLevel.UseRegex => KnownPattern.Gpt2Digits,
            SplitPreTokenizer { Pattern.IsRegex: true } split when !_byteLevel.UseRegex
                && (split.Behavior == SplitBehavior.Isolated || (split.Behavior == SplitBehavior.Removed && split.Invert))
                => SplitPatterns.Find(split.Pattern.Text),
            _ => KnownPattern.None,
        };
    }

    /// <summary>The parts of a pre-tokenizer in order.</summary>
    public static IEnumerable<PreTokenizer> Flatten(PreTokenizer? part) => part switch
    {
        null => [],
        PreTokenizerSequence sequence => sequence.Parts.SelectMany(Flatten),
        _ => [part],
    };
}
