namespace Skiff.Inference;

/// <summary>Says which tokens may come next: a grammar, a list of answers.</summary>
public interface ITokenMask
{
    /// <summary>Makes the logits of tokens that may not come next minus infinity.</summary>
    /// <param name="generated">The tokens drawn so far, without the prompt.</param>
    /// <param name="logits">[V] for the next token; at least one must stay finite.</param>
    void Apply(ReadOnlySpan<int> generated, Span<float> logits);
}
