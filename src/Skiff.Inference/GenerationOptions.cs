namespace Skiff.Inference;

/// <summary>When a generation ends, and what is told of its tokens.</summary>
public sealed record GenerationOptions
{
    /// <summary>Tokens to generate, at least 1; null for as many as the context holds.</summary>
    public int? MaxTokens { get; init; }

    /// <summary>Text that ends the generation and is not part of it.</summary>
    public IReadOnlyList<string> Stop { get; init; } = [];

    /// <summary>Ids that end the generation; null for the model's own (see <see cref="Generator.EndIds"/>).</summary>
    public IReadOnlyCollection<int>? EndIds { get; init; }

    /// <summary>Leaves special tokens out of the text.</summary>
    public bool SkipSpecial { get; init; } = true;

    /// <summary>Gives each token's natural-log probability under the model, before temperature and cuts.</summary>
    public bool LogProbabilities { get; init; }

    /// <summary>Gives each token this many of the likeliest ones in its place (OpenAI's <c>top_logprobs</c>), and its own probability.</summary>
    public int LikeliestTokens { get; init; }

    /// <summary>
    /// Told of each token of the prompt but the first, in order and before any is drawn, with its log-probability: what the model would have
    /// thought of drawing it.
    /// </summary>
    public Action<GeneratedToken>? PromptToken { get; init; }

    /// <summary>
    /// A file that keeps what the prompt leaves behind, for later runs and other processes (<see cref="SequenceFile"/>): as much of it as the
    /// prompt begins with is not computed again, and where that is not all, it is written anew.
    /// </summary>
    public string? PromptCache { get; init; }

    /// <summary>Which tokens may come next; all when null. Log-probabilities are those without it.</summary>
    public ITokenMask? Mask { get; init; }
}
