using Skiff.Tensors;

namespace Skiff.Inference;

/// <summary>
/// How the next token is drawn. Biases and penalties come first, then the steps of Hugging Face's generate in its order: temperature,
/// top-k, top-p (over what top-k left, renormalised), min-p, typical-p. llama.cpp cuts first and applies the temperature last, so
/// with a temperature other than 1 its top-p and min-p keep another set.
/// </summary>
public sealed record SamplingOptions
{
    /// <summary>Divides the logits; 0 takes the most probable token, always.</summary>
    public float Temperature { get; init; } = 0.8f;

    /// <summary>Keeps this many of the most probable tokens (of equal ones the lower id); 0 keeps all.</summary>
    public int TopK { get; init; }

    /// <summary>Keeps the smallest set of most probable tokens whose probabilities sum to this or more; 1 keeps all.</summary>
    public float TopP { get; init; } = 1;

    /// <summary>Keeps tokens at least this fraction as probable as the most probable one; 0 keeps all.</summary>
    public float MinP { get; init; }

    /// <summary>
    /// Keeps the fewest tokens whose surprise, -log p, is nearest to the one expected, and whose probabilities sum to this or more; 1 keeps all.
    /// Meister et al. 2022 (locally typical sampling), algorithm of section 4.
    /// </summary>
    public float TypicalP { get; init; } = 1;

    /// <summary>Added to the logits of tokens; minus infinity forbids one. OpenAI's <c>logit_bias</c>.</summary>
    public IReadOnlyDictionary<int, float>? LogitBias { get; init; }

    /// <summary>Subtracted from a token's logit for each time it occurred, as far as the repetition window looks; 0 for none.</summary>
    public float FrequencyPenalty { get; init; }

    /// <summary>Subtracted once from the logits of tokens that occurred, as far as the repetition window looks; 0 for none.</summary>
    public float PresencePenalty { get; init; }

    /// <summary>
    /// Divides positive and multiplies negative logits of tokens that already occurred, prompt included; 1 for none.
    /// Keskar et al. 2019 (CTRL), section 4.1.
    /// </summary>
    public float RepetitionPenalty { get; init; } = 1;

    /// <summary>How many of the last tokens the three penalties look at; 0 for all of them (llama.cpp's habit is 64).</summary>
    public int RepetitionWindow { get; init; }

    /// <summary>The same seed draws the same tokens; null takes one from the system.</summary>
    public ulong? Seed { get; init; }

    /// <summary>Refuses what cannot be honoured.</summary>
    /// <param name="source">Where the options come from, for the message.</param>
    /// <exception cref="InvalidInputException">Names the option out of its range.</exception>
    public void Validate(string source)
    {
        Check(Temperature >= 0 && float.IsFinite(Temperature), source, "temperature", $"must be 0 or more, not {Temperature}");
        Check(TopK >= 0, source, "top-k", $"must be 0 (all) or more, not {TopK}");
        Check(TopP is >= 0 and <= 1, source, "top-p", $"must lie from 0 to 1, not {TopP}");
        Check(MinP is >= 0 and <= 1, source, "min-p", $"must lie from 0 to 1, not {MinP}");
        Check(TypicalP is > 0 and <= 1, source, "typical-p", $"must lie above 0, up to 1, not {TypicalP}");
        Check(float.IsFinite(FrequencyPenalty), source, "frequency-penalty", $"must be a number, not {FrequencyPenalty}");
        Check(float.IsFinite(PresencePenalty), source, "presence-penalty", $"must be a number, not {PresencePenalty}");
        foreach ((int id, float bias) in LogitBias ?? new Dictionary<int, float>())
            Check(id >= 0 && !float.IsNaN(bias) && bias < float.PositiveInfinity, source, "logit-bias", $"must give ids from 0 a number or minus infinity, not {id} {bias}");
        Check(RepetitionPenalty > 0 && float.IsFinite(RepetitionPenalty), source, "repetition-penalty", $"must be above 0, not {RepetitionPenalty}");
        Check(RepetitionWindow >= 0, source, "repetition-window", $"must be 0 (all) or more, not {RepetitionWindow}");
    }

    private static void Check(bool holds, string source, string field, string problem)
    {
        if (!holds)
            throw new InvalidInputException(source, field, problem);
    }
}
