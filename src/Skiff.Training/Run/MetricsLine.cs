using System.Text.Json;

namespace Skiff.Training;

/// <summary>
/// A line of a run's <c>metrics.jsonl</c>; what the line does not say, or says as null, is null. A line reports training
/// (<c>loss</c>), validation, a sample, or the run's end.
/// </summary>
public sealed record MetricsLine
{
    /// <summary>Optimizer steps taken, <c>step</c>: the one key that every line has.</summary>
    public required long Step { get; init; }

    /// <summary>Steps the run shall take, <c>steps</c>.</summary>
    public long? Steps { get; init; }

    /// <summary>Tokens trained on, <c>tokens</c>.</summary>
    public long? Tokens { get; init; }

    /// <summary>Whether the line has the key <c>loss</c>, even where its value is null: a loss that is no number.</summary>
    public bool IsTraining { get; init; }

    /// <summary>Mean cross-entropy of the step in nats a token, <c>loss</c>.</summary>
    public double? Loss { get; init; }

    /// <summary>Learning rate of the step, <c>lr</c>.</summary>
    public double? LearningRate { get; init; }

    /// <summary>Length of the gradient before it was clipped, <c>grad_norm</c>.</summary>
    public double? GradientNorm { get; init; }

    /// <summary>Tokens trained on per second, <c>tokens_per_second</c>.</summary>
    public double? TokensPerSecond { get; init; }

    /// <summary>Arithmetic done as a share of what the processor can do, 0 to 1, <c>share_of_peak</c>.</summary>
    public double? ShareOfPeak { get; init; }

    /// <summary>Seconds since the run began, <c>seconds</c>.</summary>
    public double? Seconds { get; init; }

    /// <summary>Seconds the run still needs, <c>eta_seconds</c>.</summary>
    public double? SecondsLeft { get; init; }

    /// <summary>Mean cross-entropy of held-out text in nats a token, <c>val_loss</c>.</summary>
    public double? ValidationLoss { get; init; }

    /// <summary>Bits per byte of held-out text, <c>val_bits_per_byte</c>.</summary>
    public double? ValidationBitsPerByte { get; init; }

    /// <summary>What a sample goes on from, <c>prompt</c>.</summary>
    public string? Prompt { get; init; }

    /// <summary>Text the model wrote, <c>sample</c>.</summary>
    public string? Sample { get; init; }

    /// <summary>Whether the run has reached its end, <c>done</c>.</summary>
    public bool IsDone { get; init; }

    /// <summary>Why the run ended early, <c>stopped</c>.</summary>
    public string? Stopped { get; init; }

    /// <summary>
    /// Reads one line. Null where it is no JSON object with a whole <c>step</c> of at least 0, or where a known key holds
    /// another kind of value; other keys are passed over. Numbers beyond double precision count as null.
    /// </summary>
    public static MetricsLine? TryParse(ReadOnlySpan<byte> line)
    {
        // Most of what is no line at all is told without the cost of an exception.
        line = line.Trim(" \t\r"u8);
        if (line.Length < 2 || line[0] != '{' || line[^1] != '}')
            return null;
        try
        {
            return Parse(line);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // Broken JSON, or text that is not valid Unicode.
            return null;
        }
    }

    private static MetricsLine? Parse(ReadOnlySpan<byte> line)
    {
        Utf8JsonReader json = new(line);
        json.Read();
        long? step = null;
        MetricsLine parsed = new() { Step = 0 };
        while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
        {
            string key = json.GetString()!;
            json.Read();
            switch (key)
            {
                case "step": step = Whole(ref json); break;
                case "steps": parsed = parsed with { Steps = Whole(ref json) }; break;
                case "tokens": parsed = parsed with { Tokens = Whole(ref json) }; break;
                case "loss": parsed = parsed with { Loss = Number(ref json), IsTraining = true }; break;
                case "lr": parsed = parsed with { LearningRate = Number(ref json) }; break;
                case "grad_norm": parsed = parsed with { GradientNorm = Number(ref json) }; break;
                case "tokens_per_second": parsed = parsed with { TokensPerSecond = Number(ref json) }; break;
                case "share_of_peak": parsed = parsed with { ShareOfPeak = Number(ref json) }; break;
                case "seconds": parsed = parsed with { Seconds = Number(ref json) }; break;
                case "eta_seconds": parsed = parsed with { SecondsLeft = Number(ref json) }; break;
                case "val_loss": parsed = parsed with { ValidationLoss = Number(ref json) }; break;
                case "val_bits_per_byte": parsed = parsed with { ValidationBitsPerByte = Number(ref json) }; break;
                case "prompt": parsed = parsed with { Prompt = json.GetString() }; break;
                case "sample": parsed = parsed with { Sample = json.GetString() }; break;
                case "done": parsed = parsed with { IsDone = json.GetBoolean() }; break;
                case "stopped": parsed = parsed with { Stopped = json.GetString() }; break;
                default: json.Skip(); break;
            }
        }

        // Reads past the brace, so that anything behind it is refused.
        return json.TokenType == JsonTokenType.EndObject && !json.Read() && step is { } known ? parsed with { Step = known } : null;
    }

    private static long? Whole(ref Utf8JsonReader json)
    {
        if (json.TokenType == JsonTokenType.Null)
            return null;
        return json.TryGetInt64(out long value) && value >= 0 ? value : throw new JsonException();
    }

    private static double? Number(ref Utf8JsonReader json)
    {
        if (json.TokenType == JsonTokenType.Null)
            return null;
        double value = json.GetDouble();
        return double.IsFinite(value) ? value : null;
    }
}
