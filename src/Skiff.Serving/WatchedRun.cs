using System.Text;
using System.Text.Json;
using Skiff.Tensors;
using Skiff.Training;

namespace Skiff.Serving;

/// <summary>A run folder and what is known of it. Safe to ask from several requests at once.</summary>
internal sealed class WatchedRun(string name, string folder, TimeProvider time)
{
    /// <summary>The recipe's name in a run folder.</summary>
    public const string RecipeFile = "recipe.yaml";

    private const int LongestRecipe = 1 << 20;
    // What a request reads at most, so that it answers soon; the rest is read by the next ones.
    private const int MostReads = 64;
    private const double QuietSeconds = 60;

    private readonly Lock _lock = new();
    private readonly RunHistory _history = new();
    private readonly MetricsReader _reader = new(Path.Combine(folder, MetricsReader.FileName));
    private string? _problem;

    /// <summary>What the page calls it.</summary>
    public string Name => name;

    /// <summary>The folder as it was named.</summary>
    public string Folder => folder;

    /// <summary>Writes the run's state and last figures into an object.</summary>
    public void WriteSummary(Utf8JsonWriter json)
    {
        lock (_lock)
        {
            Update();
            double? silent = SilentSeconds();
            json.WriteString("name", name);
            json.WriteString("folder", folder);
            json.WriteString("state", State(silent));
            json.WriteString("problem", _problem);
            json.WriteString("reason", _history.End?.Stopped);
            json.WriteNumber("junk", _reader.Junk);
            json.WriteBoolean("has_recipe", File.Exists(Path.Combine(folder, RecipeFile)));
            json.WriteString("cursor", _history.Cursor);
            MetricsLine? training = _history.Training;
            Write(json, "step", _history.End?.Step ?? training?.Step ?? _history.Validation?.Step);
            Write(json, "steps", training?.Steps);
            Write(json, "tokens", training?.Tokens);
            Write(json, "loss", training?.Loss);
            Write(json, "lr", training?.LearningRate);
            Write(json, "grad_norm", training?.GradientNorm);
            Write(json, "tokens_per_second", training?.TokensPerSecond);
            Write(json, "share_of_peak", training?.ShareOfPeak);
            Write(json, "val_loss", _history.Validation?.ValidationLoss);
            Write(json, "val_bits_per_byte", _history.Validation?.ValidationBitsPerByte);
            Write(json, "seconds", _history.Seconds);
            Write(json, "eta_seconds", training?.SecondsLeft);
            Write(json, "silent_seconds", silent);
        }
    }

    /// <summary>Writes the curves and samples that came after a cursor into an object.</summary>
    public void WriteMetrics(Utf8JsonWriter json, (long Epoch, long Sequence)? from)
    {
        lock (_lock)
        {
            Update();
            _history.Write(json, from);
        }
    }

    /// <summary>The text of the recipe; null where there is none.</summary>
    /// <exception cref="InvalidInputException">It is too long to be one.</exception>
    public string? ReadRecipe()
    {
        string path = Path.Combine(folder, RecipeFile);
        try
        {
            using FileStream file = new(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            byte[] text = new byte[LongestRecipe + 1];
            int length = file.ReadAtLeast(text, text.Length, throwOnEndOfStream: false);
            return length <= LongestRecipe ? Encoding.UTF8.GetString(text, 0, length) : throw new InvalidInputException(path, "length", $"more than {LongestRecipe} bytes");
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
    }

    private void Update()
    {
        try
        {
            _problem = null;
            bool hasMore = true;
            for (int i = 0; i < MostReads && hasMore; i++)
            {
                MetricsBatch batch = _reader.Read();
                hasMore = batch.HasMore;
                if (batch.StartedOver)
                    _history.Clear();
                foreach (MetricsLine line in batch.Lines)
                    _history.Add(line);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            _problem = e.Message;
        }
    }

    private string State(double? silent)
    {
        if (_history.End is { } end)
            return end.Stopped is null ? "done" : "stopped";
        if (_history.Training is null)
            return "waiting";
        return silent > Math.Max(QuietSeconds, 5 * (_history.Interval ?? 0)) ? "silent" : "running";
    }

    private double? SilentSeconds()
    {
        FileInfo file = new(Path.Combine(folder, MetricsReader.FileName));
        return file.Exists ? Math.Max(0, (time.GetUtcNow().UtcDateTime - file.LastWriteTimeUtc).TotalSeconds) : null;
    }

    private static void Write(Utf8JsonWriter json, string name, long? value)
    {
        if (value is { } number)
            json.WriteNumber(name, number);
        else
            json.WriteNull(name);
    }

    private static void Write(Utf8JsonWriter json, string name, double? value)
    {
        if (value is { } number && double.IsFinite(number))
            json.WriteNumber(name, number);
        else
            json.WriteNull(name);
    }
}
