using System.Text;
using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>
/// Text to token ids and back. Every file format is read into one form, which mirrors Hugging Face's
/// <c>tokenizer.json</c>; one engine runs it. Safe for concurrent use.
/// </summary>
public sealed class Tokenizer
{
    private readonly TokenizerSpec _spec;
    private readonly TokenEncoder _encoder;
    private readonly Dictionary<int, AddedToken> _added;
    private readonly Dictionary<string, int> _addedIds;
    private readonly byte[]?[] _bytes;

    internal Tokenizer(TokenizerSpec spec)
    {
        _spec = spec;
        _encoder = new TokenEncoder(spec);
        _added = spec.AddedTokens.ToDictionary(t => t.Id);
        _addedIds = spec.AddedTokens.ToDictionary(t => t.Content, t => t.Id, StringComparer.Ordinal);
        VocabularySize = Math.Max(spec.Model.Vocabulary.Size, spec.AddedTokens.Count == 0 ? 0 : spec.AddedTokens.Max(t => t.Id) + 1);
        _bytes = new byte[]?[VocabularySize];
        BosId = spec.BosToken is null ? null : IdOf(spec.BosToken);
        EosId = spec.EosToken is null ? null : IdOf(spec.EosToken);
        PadId = spec.PadToken is null ? null : IdOf(spec.PadToken);
        UnknownId = spec.UnknownToken is null ? spec.Model.UnknownId : IdOf(spec.UnknownToken);
    }

    /// <summary>Largest id plus one, added tokens included.</summary>
    public int VocabularySize { get; }

    /// <summary>The id that begins a text, if there is one.</summary>
    public int? BosId { get; }

    /// <summary>The id that ends a text, if there is one.</summary>
    public int? EosId { get; }

    /// <summary>The id that fills a batch, if there is one.</summary>
    public int? PadId { get; }

    /// <summary>The id of what cannot be expressed, if there is one.</summary>
    public int? UnknownId { get; }

    /// <summary>The Jinja template of a conversation, if the files hold one.</summary>
    public string? ChatTemplate => _spec.ChatTemplate;

    internal TokenizerSpec Spec => _spec;

    internal TokenEncoder Engine => _encoder;

    /// <summary>
    /// Loads a model folder (<c>tokenizer.json</c>, or <c>vocab.json</c> with <c>merges.txt</c>, or <c>tokenizer.model</c>) or
    /// one file: <c>tokenizer.json</c>, a SentencePiece model, tiktoken ranks, a llama2.c tokenizer, or a GGUF file.
    /// </summary>
    /// <exception cref="InvalidInputException">Nothing there can be read as a tokenizer.</exception>
    public static Tokenizer Load(string path) => new(TokenizerFiles.Read(path));

    /// <summary>Reads <c>tokenizer.json</c>, and <c>tokenizer_config.json</c> where it is given.</summary>
    /// <param name="json">The UTF-8 bytes of <c>tokenizer.json</c>.</param>
    /// <param name="source">What a refusal calls the file.</param>
    /// <param name="config">The UTF-8 bytes of <c>tokenizer_config.json</c>, or empty.</param>
    /// <exception cref="InvalidInputException">A component is unknown or a value unusable.</exception>
    public static Tokenizer FromJson(ReadOnlySpan<byte> json, string source, ReadOnlySpan<byte> config = default) =>
        new(HuggingFaceReader.Read(
            JsonField.Parse(json, source),
            config.IsEmpty ? null : JsonField.Parse(config, HuggingFaceReader.ConfigFile)));

    /// <summary>Reads the <c>tokenizer.ggml.*</c> keys of a GGUF file.</summary>
    /// <exception cref="InvalidInputException">A key is missing or unusable.</exception>
    public static Tokenizer FromGguf(GgufMetadata metadata, string source) => new(GgufVocabularyReader.Read(metadata, source));

    /// <summary>Adds the <c>tokenizer.ggml.*</c> keys, as llama.cpp reads them.</summary>
    /// <param name="metadata">Where they go.</param>
    /// <param name="modelVocabulary">
    /// Rows of the model's embedding: llama.cpp wants as many tokens, so what the tokenizer lacks is filled up. 0 for a file
    /// of the tokenizer alone.
    /// </param>
    /// <exception cref="InvalidInputException">GGUF has no name for a part of this tokenizer, or it has more tokens than the model.</exception>
    public void WriteGguf(GgufMetadata metadata, int modelVocabulary = 0) => GgufVocabularyWriter.Write(this, metadata, modelVocabulary);

    /// <summary>Writes <c>tokenizer.json</c>, <c>tokenizer_config.json</c> and <c>special_tokens_map.json</c> into a folder.</summary>
    public void Save(string folder) => HuggingFaceWriter.Save(this, folder);

    /// <summary>The ids of a text.</summary>
    /// <param name="text">The text. Half a surrogate pair reads as U+FFFD.</param>
    /// <param name="addSpecial">Whether the post-processor puts its special tokens (such as BOS) around the ids.</param>
    /// <param name="parseSpecial">Whether special tokens written out in the text become their ids; false for untrusted text.</param>
    public int[] Encode(string text, bool addSpecial = true, bool parseSpecial = true)
    {
        Workspace workspace = _encoder.Rent();
        _encoder.Encode(text, workspace, addSpecial, parseSpecial);
        int[] ids = workspace.Ids.AsSpan(0, workspace.Count).ToArray();
        _encoder.Return(workspace);
        return ids;
    }

    /// <summary>Appends the ids of a text to a list; see <see cref="Encode(string, bool, bool)"/>.</summary>
    public void Encode(string text, List<int> ids, bool addSpecial = true, bool parseSpecial = true)
    {
        Workspace workspace = _encoder.Rent();
        _encoder.Encode(text, workspace, addSpecial, parseSpecial);
        ids.AddRange(workspace.Ids.AsSpan(0, workspace.Count));
        _encoder.Return(workspace);
    }

    /// <summary>The text of some ids. Ids without a token add nothing; bytes that are not UTF-8 become U+FFFD.</summary>
    /// <param name="ids">The ids.</param>
    /// <param name="skipSpecial">Whether special tokens are left out.</param>
    public string Decode(ReadOnlySpan<int> ids, bool skipSpecial = false)
    {
        TokenStream stream = OpenStream(skipSpecial);
        StringBuilder text = new();
        foreach (int id in ids)
            text.Append(stream.Append(id));
        return text.Append(stream.Flush()).ToString();
    }

    /// <summary>Begins a streaming decode.</summary>
    public TokenStream OpenStream(bool skipSpecial = false) => new(this, _spec.Decoder, skipSpecial);

    /// <summary>The token as the vocabulary writes it, or null where no token has the id.</summary>
    public string? TextOf(int id) => _added.TryGetValue(id, out AddedToken? token) ? token.Content : _spec.Model.Vocabulary[id];

    /// <summary>The id of a token as the vocabulary writes it.</summary>
    public int? IdOf(string token) =>
        _addedIds.TryGetValue(token, out int id) || (id = _spec.Model.Vocabulary.IdOf(token)) >= 0 ? id : null;

    /// <summary>The same tokenizer with a special token more, under the next free id.</summary>
    /// <param name="content">What stands for it in a text; not a token yet.</param>
    public Tokenizer WithSpecialToken(string content) =>
        new(_spec with { AddedTokens = [.. _spec.AddedTokens, new AddedToken(VocabularySize, content) { Special = true }] });

    /// <summary>Whether the id is a control token, such as BOS.</summary>
    public bool IsSpecial(int id) => _added.TryGetValue(id, out AddedToken? token) && token.Special;

    /// <summary>The bytes that a token adds within a text; empty where no token has the id.</summary>
    public ReadOnlySpan<byte> BytesOf(int id)
    {
        if ((uint)id >= (uint)_bytes.Length)
            return default;
        // Two threads may both work one out; they find the same.
        return _bytes[id] ??= EdgeBytesOf(id, isFirst: false, isLast: false);
    }

    internal byte[] EdgeBytesOf(int id, bool isFirst, bool isLast)
    {
        string? token = TextOf(id);
        if (token is null)
            return [];
        // Without a decoder, tokens are words.
        return _spec.Decoder is TokenDecoder decoder
            ? decoder.BytesOf(token, isFirst, isLast)
            : Encoding.UTF8.GetBytes(isFirst ? token : " " + token);
    }
}
