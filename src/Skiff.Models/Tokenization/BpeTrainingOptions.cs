namespace Skiff.Models;

/// <summary>What <see cref="BpeTrainer"/> is asked for.</summary>
public sealed record BpeTrainingOptions
{
    /// <summary>Most entries in the vocabulary: special tokens, then the 256 bytes, then one a merge.</summary>
    public required int VocabularySize { get; init; }

    /// <summary>How text is cut into pre-tokens, which no merge crosses: <c>gpt2</c>, <c>llama3</c> or <c>qwen2</c>.</summary>
    public string Pattern { get; init; } = "gpt2";

    /// <summary>Tokens that stand for themselves: cut out of the text first, never counted, given the lowest ids.</summary>
    public IReadOnlyList<string> SpecialTokens { get; init; } = ["<|endoftext|>"];

    /// <summary>A pair seen less often than this is not merged; training then ends with fewer entries than asked for.</summary>
    public long MinFrequency { get; init; } = 2;

    /// <summary>Threads that count pre-tokens. The result is the same for any number.</summary>
    public int Threads { get; init; } = Environment.ProcessorCount;
}
