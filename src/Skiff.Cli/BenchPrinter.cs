using System.Globalization;
using System.Text;
using System.Text.Json;
using Skiff.Inference;
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Cli;

/// <summary>
/// Prints a benchmark as llama-bench does: a Markdown table, JSON or CSV under its field names, with fields of ours behind them. Rows
/// of tables appear as they are measured; JSON is one array, printed when it is whole.
/// </summary>
internal sealed class BenchPrinter
{
    private static readonly (string Name, int Width)[] s_columns =
        [("model", -24), ("size", 10), ("params", 9), ("threads", 7), ("test", 15), ("t/s", 17), ("first token", 11), ("of read", 7), ("of peak", 7)];

    private readonly TextWriter _output;
    private readonly string _form;
    private readonly Model _model;
    private readonly long _size;
    private readonly List<string> _json = [];
    private bool _begun;

    public BenchPrinter(TextWriter output, string form, Model model, long size)
    {
        (_output, _form, _model, _size) = (output, form, model, size);
        ModelType = $"{model.Config.ModelType} {Count(model.Config.ParameterCount).Replace(" ", "")} {model.Type.Name().ToUpperInvariant()}";
    }

    /// <summary>Family, size and number type: <c>llama 134.52M Q8_0</c>.</summary>
    public string ModelType { get; }

    /// <summary>One row of figures.</summary>
    public void Row(ThroughputFigures figures)
    {
        if (_form == "json")
        {
            StringWriter text = new();
            Output.Json(text, json =>
            {
                foreach ((string name, object? value) in Fields(figures))
                    Write(json, name, value);
                Write(json, "samples_ns", figures.SamplesNs);
                Write(json, "samples_ts", figures.SamplesTs);
            });
            _json.Add(text.ToString().TrimEnd());
            return;
        }

        IEnumerable<(string Name, object? Value)> fields = Fields(figures);
        if (!_begun && _form == "csv")
            _output.WriteLine(string.Join(',', fields.Select(f => f.Name)));
        else if (!_begun)
            Head();
        _begun = true;
        _output.WriteLine(_form == "csv" ? string.Join(',', fields.Select(f => Quoted(f.Value))) : Line(Cells(figures)));
        _output.Flush();
    }

    /// <summary>Prints what waited for the last row.</summary>
    public void End()
    {
        if (_form == "json")
            _output.WriteLine($"[\n  {string.Join(",\n  ", _json)}\n]");
    }

    private IEnumerable<(string Name, object? Value)> Fields(ThroughputFigures f) =>
    [
        ("model_filename", _model.Path),
        ("model_type", ModelType),
        ("model_size", _size),
        ("model_n_params", _model.Config.ParameterCount),
        ("n_batch", f.Test.NBatch),
        ("n_threads", f.Test.NThreads),
        ("isa", IsaChoice.NameOf(IsaChoice.Current)),
        ("type_k", f.TypeK.Name()),
        ("type_v", f.TypeV.Name()),
        ("n_prompt", f.Test.NPrompt),
        ("n_gen", f.Test.NGen),
        ("n_depth", f.Test.NDepth),
        ("n_parallel", f.Test.NParallel),
        ("test_time", f.TestTime.UtcDateTime.ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture)),
        ("avg_ns", (long)Math.Round(f.AvgNs)),
        ("stddev_ns", (long)Math.Round(f.StddevNs)),
        ("avg_ts", f.AvgTs),
        ("stddev_ts", f.StddevTs),
        ("time_to_first_token", f.TimeToFirstToken),
        ("peak_rss_bytes", f.PeakRssBytes),
        ("kv_bytes_per_token", f.KvBytesPerToken),
        ("share_of_bandwidth", f.ShareOfBandwidth),
        ("share_of_peak", f.ShareOfPeak),
        ("bandwidth_gbps", f.BandwidthGbps),
        ("peak_gflops", f.PeakGflops),
    ];

    private string[] Cells(ThroughputFigures f) =>
    [
        ModelType,
        string.Create(CultureInfo.InvariantCulture, $"{_size / (double)(1 << 20):0.00} MiB"),
        Count(_model.Config.ParameterCount),
        $"{f.Test.NThreads}",
        f.Test.Name,
        string.Create(CultureInfo.InvariantCulture, $"{f.AvgTs:0.00} ± {f.StddevTs:0.00}"),
        f.TimeToFirstToken is { } first ? string.Create(CultureInfo.InvariantCulture, $"{first:0.000} s") : "",
        Share(f.ShareOfBandwidth),
        Share(f.ShareOfPeak),
    ];

    private void Head()
    {
        _output.WriteLine(Line([.. s_columns.Select(c => c.Name)]));
        _output.WriteLine($"| {string.Join(" | ", s_columns.Select(c => c.Width < 0 ? new string('-', -c.Width) : new string('-', c.Width - 1) + ":"))} |");
    }

    private static string Line(string[] cells) =>
        $"| {string.Join(" | ", cells.Zip(s_columns, (cell, c) => c.Width < 0 ? cell.PadRight(-c.Width) : cell.PadLeft(c.Width)))} |";

    private static string Share(double? share) => share?.ToString("0%", CultureInfo.InvariantCulture) ?? "";

    private static string Count(long values) => values >= 1_000_000_000
        ? string.Create(CultureInfo.InvariantCulture, $"{values / 1e9:0.00} B")
        : string.Create(CultureInfo.InvariantCulture, $"{values / 1e6:0.00} M");

    // Every value in quotes, as llama-bench writes them.
    private static string Quoted(object? value)
    {
        StringBuilder text = new("\"");
        text.Append(Convert.ToString(value, CultureInfo.InvariantCulture)?.Replace("\"", "\"\"", StringComparison.Ordinal));
        return text.Append('"').ToString();
    }

    private static void Write(Utf8JsonWriter json, string name, object? value)
    {
        json.WritePropertyName(name);
        if (value is double figure)
            json.Figure(figure);
        else
            JsonSerializer.Serialize(json, value);
    }
}
