using System.Text.Json;

namespace Skiff.Training;

/// <summary>The forms of the lines in <c>metrics.jsonl</c>.</summary>
internal static class RunMetrics
{
    public static void Write(Utf8JsonWriter json, StepMetrics metrics, StepResult result)
    {
        json.WriteNumber("step", metrics.Step);
        json.WriteNumber("steps", metrics.Steps);
        json.WriteNumber("tokens", metrics.Tokens);
        // All digits: equal runs have equal losses.
        Figure(json, "loss", metrics.Loss);
        Figure(json, "lr", metrics.LearningRate);
        Figure(json, "lr_multiplier", metrics.Multiplier);
        Figure(json, "grad_norm", metrics.GradientNorm);
        if (result.ExpertBalance > 0)
            Figure(json, "expert_balance", result.ExpertBalance);
        Figure(json, "tokens_per_second", Math.Round(metrics.TokensPerSecond, 1));
        Figure(json, "share_of_peak", Math.Round(metrics.ShareOfPeak, 4));
        Figure(json, "seconds", Math.Round(metrics.Seconds, 3));
        Figure(json, "eta_seconds", Math.Round(metrics.SecondsLeft, 1));
        json.WriteNumber("stage", metrics.Stage);
    }

    public static void Write(Utf8JsonWriter json, ValidationMetrics metrics)
    {
        json.WriteNumber("step", metrics.Step);
        json.WriteNumber("val_tokens", metrics.Tokens);
        Figure(json, "val_loss", metrics.Loss);
        Figure(json, "val_bits_per_byte", metrics.BitsPerByte);
    }

    public static void WriteSample(Utf8JsonWriter json, long step, string prompt, string text)
    {
        json.WriteNumber("step", step);
        json.WriteString("prompt", prompt);
        json.WriteString("sample", text);
    }

    public static void WriteStop(Utf8JsonWriter json, long step, string reason)
    {
        json.WriteNumber("step", step);
        json.WriteString("stopped", reason);
    }

    public static void WriteEnd(Utf8JsonWriter json, long step, double seconds)
    {
        json.WriteNumber("step", step);
        json.WriteBoolean("done", true);
        Figure(json, "seconds", Math.Round(seconds, 3));
    }

    // JSON has no infinity and no NaN.
    private static void Figure(Utf8JsonWriter json, string name, double value)
    {
        if (double.IsFinite(value))
            json.WriteNumber(name, value);
        else
            json.WriteNull(name);
    }
}
