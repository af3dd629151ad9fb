using System.Buffers;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Text;
using System.Text.Json;
using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>
/// Byte-pair encoding over characters, or over bytes where a ByteLevel pre-tokenizer comes before it: the same merges,
/// only the first symbols differ.
/// </summary>
internal sealed class BpeModel : TokenModel
{
    private readonly Merge[] _merges;
    private readonly MergeTable _table;
    private readonly int _unknown;
    private readonly int[] _byteSymbols = new int[256];
    private readonly int[]? _fallback;
    private readonly bool _cutsAtMark;

    /// <summary>Builds the lookup tables.</summary>
    /// <exception cref="InvalidInputException">A pair merges twice, or the unknown token is absent.</exception>
    public BpeModel(Vocabulary vocabulary, Merge[] merges, BpeOptions options, string source)
        : base(vocabulary)
    {
        Options = options;
        _merges = merges;
        _table = new MergeTable(merges.Length);
        foreach (Merge merge in merges)
        {
            if (!_table.TryAdd(merge.Left, merge.Right, merge.Rank, merge.Merged))
                throw new InvalidInputException(source, "model.merges", $"'{vocabulary[merge.Left]}' and '{vocabulary[merge.Right]}' are merged twice");
        }

        _unknown = options.UnknownToken is null ? -1 : vocabulary.IdOf(options.UnknownToken);
        if (options.UnknownToken is not null && _unknown < 0)
            throw new InvalidInputException(source, "model.unk_token", $"'{options.UnknownToken}' is not in the vocabulary");
        for (int b = 0; b < 256; b++)
            _byteSymbols[b] = vocabulary.IdOf([ByteAlphabet.Chars[b]]);
        if (options.ByteFallback)
            _fallback = [.. Enumerable.Range(0, 256).Select(b => vocabulary.IdOf(ByteAlphabet.FallbackName(b)))];
        _cutsAtMark = CanCutAtMark();
    }

    /// <summary>The settings.</summary>
    public BpeOptions Options { get; }

    /// <summary>The merges, in order of rank.</summary>
    public ReadOnlySpan<Merge> Merges => _merges;

    /// <inheritdoc/>
    public override int? UnknownId => _unknown < 0 ? null : _unknown;

    /// <summary>Whether the model may run on bytes behind a ByteLevel pre-tokenizer.</summary>
    public bool IsByteLevel =>
        !Options.ByteFallback && Options.ContinuingSubwordPrefix is null && Options.EndOfWordSuffix is null;

    /// <inheritdoc/>
    public override void Encode(ReadOnlySpan<char> piece, Workspace workspace)
    {
        // No token crosses from a word to the next mark, so every word can be merged (and remembered) alone.
        while (_cutsAtMark && TakeWord(ref piece, out ReadOnlySpan<char> word))
            EncodeWord(word, workspace);
        EncodeWord(piece, workspace);
    }

    /// <summary>Appends the ids of a piece of UTF-8, through the workspace's cache; 32 bytes from its start are readable.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public unsafe void EncodeBytes(byte* piece, int length, Workspace workspace)
    {
        if (length > PieceCache.LongestPiece)
        {
            MergeBytes(new ReadOnlySpan<byte>(piece, length), workspace);
            return;
        }

        Vector256<byte> key = PieceCache.Key(in *piece, length);
        ReadOnlySpan<int> known = workspace.Cache.Find(key);
        if (known.Length > 0)
            workspace.Append(known);
        else
            workspace.Cache.Add(key, MergeBytes(new ReadOnlySpan<byte>(piece, length), workspace));
    }

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter json)
    {
        json.WriteString("type", "BPE");
        json.WriteNull("dropout");
        json.WriteString("unk_token", Options.UnknownToken);
        json.WriteString("continuing_subword_prefix", Options.ContinuingSubwordPrefix);
        json.WriteString("end_of_word_suffix", Options.EndOfWordSuffix);
        json.WriteBoolean("fuse_unk", Options.FuseUnknown);
        json.WriteBoolean("byte_fallback", Options.ByteFallback);
        json.WriteBoolean("ignore_merges", Options.IgnoreMerges);
        WriteVocabulary(json);
        json.WriteStartArray("merges");
        // "left right" is read by every version; a token with a space in it needs the newer pair form.
        bool pairs = _merges.Any(m => Vocabulary[m.Left]!.Contains(' ') || Vocabulary[m.Right]!.Contains(' '));
        foreach (Merge merge in _merges)
        {
            if (!pairs)
            {
                json.WriteStringValue($"{Vocabulary[merge.Left]} {Vocabulary[merge.Right]}");
                continue;
            }

            json.WriteStartArray();
            json.WriteStringValue(Vocabulary[merge.Left]);
            json.WriteStringValue(Vocabulary[merge.Right]);
            json.WriteEndArray();
        }

        json.WriteEndArray();
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private ReadOnlySpan<int> MergeBytes(ReadOnlySpan<byte> piece, Workspace workspace)
    {
        int start = workspace.Count;
        Span<int> symbols = workspace.Reserve(piece.Length);
        int count = 0;
        if (Options.IgnoreMerges && WholeToken(piece) is int whole and >= 0)
        {
            symbols[count++] = whole;
        }
        else
        {
            bool fused = false;
            foreach (byte value in piece)
                AddSymbol(symbols, ref count, _byteSymbols[value], ref fused);
            count = workspace.Merger.Merge(symbols[..count], _table);
        }

        workspace.Count += count;
        return workspace.Ids.AsSpan(start, count);
    }

    private int WholeToken(ReadOnlySpan<byte> piece)
    {
        // No vocabulary has tokens this long, and the stack is small.
        if (piece.Length > 1024)
            return -1;
        Span<char> text = stackalloc char[piece.Length];
        for (int i = 0; i < piece.Length; i++)
            text[i] = ByteAlphabet.Chars[piece[i]];
        return Vocabulary.IdOf(text);
    }

    private void EncodeWord(ReadOnlySpan<char> word, Workspace workspace)
    {
        ReadOnlySpan<byte> bytes = MemoryMarshal.AsBytes(word);
        if (bytes.Length > PieceCache.LongestPiece)
        {
            MergeChars(word, workspace);
            return;
        }

        Vector256<byte> key = PieceCache.Key(bytes);
        ReadOnlySpan<int> known = workspace.Cache.Find(key);
        if (known.Length > 0)
            workspace.Append(known);
        else
            workspace.Cache.Add(key, MergeChars(word, workspace));
    }

    private ReadOnlySpan<int> MergeChars(ReadOnlySpan<char> word, Workspace workspace)
    {
        int start = workspace.Count;
        // A character is at most one id, or three bytes' ids for each of its UTF-16 units.
        Span<int> symbols = workspace.Reserve(checked(word.Length * (_fallback is null ? 1 : 3)));
        int count = 0;
        int whole = Options.IgnoreMerges ? Vocabulary.IdOf(word) : -1;
        if (whole >= 0)
        {
            symbols[count++] = whole;
        }
        else
        {
            bool fused = false;
            for (int at = 0; at < word.Length;)
            {
                OperationStatus status = Rune.DecodeFromUtf16(word[at..], out Rune rune, out int used);
                // Half a surrogate pair reads as U+FFFD, as it would in UTF-8.
                int id = status == OperationStatus.Done ? SymbolOf(word, at, used) : Vocabulary.IdOf("\uFFFD");
                if (id < 0 && _fallback is not null && AddBytes(symbols, ref count, rune))
                    fused = false;
                else
                    AddSymbol(symbols, ref count, id, ref fused);
                at += used;
            }

            count = workspace.Merger.Merge(symbols[..count], _table);
        }

        workspace.Count += count;
        return workspace.Ids.AsSpan(start, count);
    }

    private int SymbolOf(ReadOnlySpan<char> word, int at, int length)
    {
        string? prefix = at > 0 ? Options.ContinuingSubwordPrefix : null;
        string? suffix = at + length == word.Length ? Options.EndOfWordSuffix : null;
        return prefix is null && suffix is null
            ? Vocabulary.IdOf(word.Slice(at, length))
            : Vocabulary.IdOf(string.Concat(prefix, word.Slice(at, length), suffix));
    }

    // An unknown symbol is the unknown token, once a run if the model says so, or nothing.
    private void AddSymbol(Span<int> symbols, ref int count, int id, ref bool fused)
    {
        if (id >= 0)
        {
            symbols[count++] = id;
            fused = false;
            return;
        }

        if (_unknown >= 0 && !(fused && Options.FuseUnknown))
            symbols[count++] = _unknown;
        fused = true;
    }

    private bool AddBytes(Span<int> symbols, ref int count, Rune rune)
    {
        Span<byte> bytes = stackalloc byte[4];
        bytes = bytes[..rune.EncodeToUtf8(bytes)];
        foreach (byte value in bytes)
        {
            if (_fallback![value] < 0)
                return false;
        }

        foreach (byte value in bytes)
            symbols[count++] = _fallback![value];
        return true;
    }

    private bool CanCutAtMark()
    {
        if (Options.IgnoreMerges || Options.ContinuingSubwordPrefix is not null || Options.EndOfWordSuffix is not null || Vocabulary.IdOf([Mark]) < 0)
            return false;
        foreach (Merge merge in _merges)
        {
            string text = Vocabulary[merge.Merged]!;
            if (text.AsSpan().TrimStart(Mark).Contains(Mark))
                return false;
        }

        return true;
    }
}
