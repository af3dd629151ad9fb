using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Training;

/// <summary>How text becomes token shards.</summary>
public sealed record TokenShardOptions
{
    /// <summary>The largest <see cref="ShardTokens"/>: a shard is addressed with 32-bit offsets.</summary>
    public const int MostShardTokens = 1 << 25;

    // A template that asks for the date gets the one that Llama 3's has where there is no clock: bytes depend on no day.
    private static readonly DateTimeOffset s_date = new(2024, 7, 26, 12, 0, 0, TimeSpan.Zero);

    /// <summary>What a document is.</summary>
    public DocumentFormat Format { get; init; }

    /// <summary>
    /// The text of the chat template that writes conversations out, such as <see cref="Models.ChatTemplate.ChatMl"/>; null
    /// for the tokenizer's own.
    /// </summary>
    public string? ChatTemplate { get; init; }

    /// <summary>A shard ends with the document that brings it to this many tokens.</summary>
    public int ShardTokens { get; init; } = 1 << 24;

    /// <summary>Whether every text begins with the tokenizer's BOS; a conversation begins as its template has it.</summary>
    public bool BeginWithBos { get; init; }

    /// <summary>
    /// Whether every document ends with the tokenizer's EOS, from which a model learns to stop. Null: texts do, conversations
    /// end as their template has it.
    /// </summary>
    public bool? EndWithEos { get; init; }

    /// <summary>Puts an added token behind every end of a segment; null for texts as they are.</summary>
    public AnchorConfig? Anchors { get; init; }

    /// <summary>Threads that tokenise. The shards are the same, byte for byte, for any number.</summary>
    public int Threads { get; init; } = Environment.ProcessorCount;

    internal bool EndsWithEos => EndWithEos ?? Format == DocumentFormat.Text;

    internal void Check(Tokenizer tokenizer)
    {
        if (ShardTokens is < 1 or > MostShardTokens)
            throw new InvalidInputException("shard tokens", ShardTokens.ToString(), $"must be 1 to {MostShardTokens}");
        if (Anchors is not null && Format == DocumentFormat.Chat)
            throw new InvalidInputException("token shards", "anchors", "are put into texts, not into conversations");
        if (Threads < 1)
            throw new InvalidInputException("threads", Threads.ToString(), "must be at least 1");
        if (!Enum.IsDefined(Format))
            throw new InvalidInputException("format", Format.ToString(), "is neither text nor chat");
        if (Format == DocumentFormat.Chat && (BeginWithBos || EndsWithEos))
            throw new InvalidInputException("token shards", BeginWithBos ? "begin with bos" : "end with eos", "is for texts: what begins and ends a conversation is written by its chat template");
        if (Format == DocumentFormat.Text && ChatTemplate is not null)
            throw new InvalidInputException("token shards", "chat template", "is for conversations, but texts were asked for: name the format chat");
        if (BeginWithBos && tokenizer.BosId is null)
            throw new InvalidInputException("tokenizer", "bos_token", "there is none for documents to begin with");
        if (EndsWithEos && tokenizer.EosId is null)
            throw new InvalidInputException("tokenizer", "eos_token", "there is none for documents to end with");
    }

    /// <summary>The template that writes conversations out; null for texts.</summary>
    /// <exception cref="InvalidInputException">There is none, or it cannot be read.</exception>
    internal ChatTemplate? Template(Tokenizer tokenizer)
    {
        if (Format == DocumentFormat.Text)
            return null;
        return Models.ChatTemplate.Of(tokenizer, ChatTemplate, JinjaOptions.Chat with { Now = () => s_date })
            ?? throw new InvalidInputException(tokenizer.Spec.Source, "chat_template", "there is none to write conversations with: use a tokenizer that has one, or name a template (--chat-template)");
    }
}
