using System.Text.Json;

namespace Skiff.Models;

/// <summary>
/// The one form every loader produces and the engine runs; it mirrors Hugging Face's <c>tokenizer.json</c> together with
/// what <c>tokenizer_config.json</c> says of the special tokens.
/// </summary>
internal sealed record TokenizerSpec
{
    /// <summary>The file or folder it came from.</summary>
    public required string Source { get; init; }

    /// <summary>Tokens found before the model runs, in order of id.</summary>
    public IReadOnlyList<AddedToken> AddedTokens { get; init; } = [];

    /// <summary>Rewrites the text first.</summary>
    public Normalizer? Normalizer { get; init; }

    /// <summary>Cuts the text into pieces.</summary>
    public PreTokenizer? PreTokenizer { get; init; }

    /// <summary>Turns a piece into ids.</summary>
    public required TokenModel Model { get; init; }

    /// <summary>Puts special tokens around the ids.</summary>
    public PostProcessor? PostProcessor { get; init; }

    /// <summary>Turns tokens back into text.</summary>
    public TokenDecoder? Decoder { get; init; }

    /// <summary>Begins a text.</summary>
    public string? BosToken { get; init; }

    /// <summary>Ends a text.</summary>
    public string? EosToken { get; init; }

    /// <summary>Fills a batch.</summary>
    public string? PadToken { get; init; }

    /// <summary>Stands for what cannot be expressed.</summary>
    public string? UnknownToken { get; init; }

    /// <summary>The Jinja template of a conversation.</summary>
    public string? ChatTemplate { get; init; }

    /// <summary>The whole of <c>tokenizer_config.json</c>, where there was one.</summary>
    public JsonElement? Config { get; init; }
}
