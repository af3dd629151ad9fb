namespace Skiff.Inference;

/// <summary>Draws the next token. One sampler belongs to one sequence: it carries that sequence's random state.</summary>
public interface ISampler
{
    /// <summary>The id drawn.</summary>
    /// <param name="logits">[V] what the model gives for the next position; left unchanged.</param>
    /// <param name="history">Every token of the sequence so far, the prompt included.</param>
    /// <exception cref="Tensors.InvalidInputException">The logits hold no finite maximum: the model is broken.</exception>
    int Sample(ReadOnlySpan<float> logits, ReadOnlySpan<int> history);
}
