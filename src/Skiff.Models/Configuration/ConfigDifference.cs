using System.Collections;
using System.Reflection;
using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>
/// Guards conversions: a description is written in the target's terms, read back, and compared. What the target cannot
/// express is refused by name instead of being lost.
/// </summary>
internal static class ConfigDifference
{
    // GGUF keeps numbers in single precision.
    private const double Tolerance = 2e-6;

    /// <summary>Refuses when <paramref name="readBack"/> computes something else than <paramref name="config"/>.</summary>
    public static void Refuse(ModelConfig config, ModelConfig readBack, string target, string format)
    {
        ModelConfig flat = config with { Layers = [.. config.Layers.Select((layer, l) => layer with { Weights = l })], SharedFeedForward = false };
        if (First(flat, readBack, "") is { } difference)
            throw new InvalidInputException(target, difference, $"{format} cannot express this trait of {config.ModelType}{MendOf(difference, config)}");
    }

    /// <summary>The first trait in which two descriptions differ; null where they compute the same.</summary>
    public static string? Between(ModelConfig a, ModelConfig b) => First(a, b, "");

    // Scales that a file of its own states can go into the weights; those that belong to a family cannot.
    private static string MendOf(string difference, ModelConfig config) =>
        difference is nameof(ModelConfig.EmbeddingScale) or nameof(ModelConfig.ResidualScale) or nameof(ModelConfig.LogitScale)
            && ScaleKeys.AreIn(config.Source) && config.Latent is null
            ? "; convert with --fold-scales, which works it into the weights"
            : "";

    private static string? First(object? a, object? b, string path)
    {
        switch (a, b)
        {
            case (null, null):
                return null;
            case (null, _) or (_, null):
                return path;
            case (double x, double y):
                return Close(x, y) ? null : path;
            case (float x, float y):
                return Close(x, y) ? null : path;
            case (RopeConfig x, RopeConfig y):
                return SameRotation(x, y) ? null : path;
            case (IList x, IList y):
                return x.Count != y.Count
                    ? path
                    : Enumerable.Range(0, x.Count).Select(i => First(x[i], y[i], $"{path}[{i}]")).FirstOrDefault(d => d is not null);
        }

        if (a.GetType().Namespace != typeof(ModelConfig).Namespace || a.GetType().IsEnum)
            return a.Equals(b) ? null : path;
        return a.GetType().GetProperties(BindingFlags.Public | BindingFlags.Instance)
            .Where(p => p.CanWrite && p.Name is not (nameof(ModelConfig.Source) or nameof(ModelConfig.ModelType)))
            .Select(p => First(p.GetValue(a), p.GetValue(b), path.Length == 0 ? p.Name : $"{path}.{p.Name}"))
            .FirstOrDefault(d => d is not null);
    }

    private static bool Close(double x, double y) => Math.Abs(x - y) <= Tolerance * Math.Max(Math.Abs(x), Math.Abs(y));

    // Several ways of writing a stretching give the same angles; only these count.
    private static bool SameRotation(RopeConfig a, RopeConfig b) => a.RotaryDim == b.RotaryDim && new[] { 0, 1 << 20 }.All(length =>
    {
        (double[] x, double scaleX) = a.Frequencies(length);
        (double[] y, double scaleY) = b.Frequencies(length);
        return Close(scaleX, scaleY) && x.Zip(y).All(f => Close(f.First, f.Second));
    });
}
