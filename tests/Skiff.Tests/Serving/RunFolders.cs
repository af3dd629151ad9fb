using System.Globalization;
using System.Text;

namespace Skiff.Tests.Serving;

/// <summary>Run folders as training leaves them.</summary>
internal static class RunFolders
{
    /// <summary>A run that has come to a step, with a validation and a sample every tenth of it.</summary>
    public static string Create(TemporaryFolder folder, string name, int steps, string sample = "there was a boat")
    {
        string run = folder.File(name);
        Directory.CreateDirectory(run);
        File.WriteAllText(Path.Combine(run, "recipe.yaml"), $"model: {name}\n");
        StringBuilder text = new();
        for (int step = 1; step <= steps; step++)
        {
            text.Append(Line(step));
            if (step % (steps / 10) != 0)
                continue;
            text.Append(CultureInfo.InvariantCulture, $"{{\"step\":{step},\"tokens\":{step * 100},\"val_loss\":2.5,\"val_bits_per_byte\":{1 + (1.0 / step)}}}\n");
            text.Append(CultureInfo.InvariantCulture, $"{{\"step\":{step},\"prompt\":\"Once\",\"sample\":{System.Text.Json.JsonSerializer.Serialize(sample)}}}\n");
        }

        File.WriteAllText(Path.Combine(run, "metrics.jsonl"), text.ToString());
        return run;
    }

    /// <summary>A training line of a run of 1000 steps.</summary>
    public static string Line(int step) => string.Create(CultureInfo.InvariantCulture,
        $"{{\"step\":{step},\"steps\":1000,\"tokens\":{step * 100},\"loss\":{2 + (5.0 / step)},\"lr\":0.001,\"grad_norm\":{1 + (step % 3 * 0.1)},\"tokens_per_second\":2500,\"share_of_peak\":0.5,\"seconds\":{step * 0.25},\"eta_seconds\":60}}\n");

    /// <summary>Adds lines to a run's metrics.</summary>
    public static void Append(string run, string lines) => File.AppendAllText(Path.Combine(run, "metrics.jsonl"), lines);
}
