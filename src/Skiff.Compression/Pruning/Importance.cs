using System.Globalization;
using System.Numerics.Tensors;
using Skiff.Inference;
using Skiff.Models;
using Skiff.Tensors;
using Tensor = Skiff.Tensors.Tensor;

namespace Skiff.Compression;

/// <summary>
/// How much the parts of a model matter, by what passed through them over some text (Minitron, arXiv 2407.14679, section 2.2; where its code
/// and its paper differ, as the code has it): channels of the residual stream by what the blocks' projections read of it, heads by what enters
/// the output projection, neurons by what enters the down projection, blocks by how far they turn the residual stream, experts by how far they
/// move a token. One pass serves every target.
/// </summary>
public sealed class Importance
{
    private const string Kind = "importance", Influences = "influence", Experts = "experts";

    private readonly Dictionary<string, ChannelScores> _sites = [];
    private readonly Dictionary<string, (double Norm, long Tokens)> _experts = [];
    // [from, to]: the mean of 1 - cos of the stream before the one block and before the other.
    private readonly double[,] _influence;
    private readonly ModelConfig _config;

    private Importance(ModelConfig config) => (_config, _influence) = (config, new double[config.NumHiddenLayers + 1, config.NumHiddenLayers + 1]);

    /// <summary>Samples that went through the model.</summary>
    public long Samples { get; private set; }

    /// <summary>Scores a model on a text.</summary>
    /// <param name="model">The model.</param>
    /// <param name="text">Plain text, or a line of JSON a document (<c>.jsonl</c>), either compressed.</param>
    /// <param name="samples">Samples at most, spread over the text.</param>
    /// <param name="length">Tokens of a sample.</param>
    /// <param name="progress">Told how many samples are done, and of how many.</param>
    /// <param name="stop">Ends the work.</param>
    /// <exception cref="InvalidInputException">The text is too short, or activations are no finite numbers.</exception>
    public static Importance Measure(Model model, string text, int samples = 1024, int length = 512, Action<int, int>? progress = null, CancellationToken stop = default) =>
        Measure(model, CalibrationText.Samples(model, text, samples, length), text, progress, stop);

    /// <summary>Scores a model on samples of tokens.</summary>
    internal static unsafe Importance Measure(Model model, IReadOnlyList<Memory<int>> samples, string source, Action<int, int>? progress, CancellationToken stop)
    {
        Importance importance = new(model.Config);
        List<float[]> streams = [];
        int longest = samples.Max(sample => sample.Length);
        using InferenceEngine engine = new(model, new InferenceEngineOptions
        {
            MaxRows = longest,
            Inputs = importance.See,
            Experts = importance.See,
            Stream = (block, x) =>
            {
                if (streams.Count <= block)
                    streams.Add(new float[longest * x.Columns]);
                for (int r = 0; r < x.Rows; r++)
                    new ReadOnlySpan<float>(x.Data + (r * x.RowStride), x.Columns).CopyTo(streams[block].AsSpan(r * x.Columns));
                if (block == model.Config.NumHiddenLayers)
                    importance.Turn(streams, x.Rows, x.Columns);
            },
        });
        foreach (Memory<int> sample in samples)
        {
            stop.ThrowIfCancellationRequested();
            using InferenceSequence sequence = engine.CreateSequence(sample.Length);
            engine.Forward([new SequenceTokens(sequence, sample, WantedLogits.None)], []);
            importance.Samples++;
            progress?.Invoke((int)importance.Samples, samples.Count);
        }

        if (importance._sites.FirstOrDefault(site => site.Value.Squares.Any(squares => squares.Any(square => !double.IsFinite(square)))) is { Key: { } name })
            throw new InvalidInputException(source, name, "activations are no finite numbers: the model is damaged, or the text far from what it knows");
        return importance;
    }

    /// <summary>Channels of the residual stream, [D]: the sum over all places where blocks read it.</summary>
    public double[] Hidden(Aggregation batch = Aggregation.L2, Aggregation sequence = Aggregation.Mean)
    {
        double[] total = new double[_config.HiddenSize];
        foreach ((string name, ChannelScores site) in _sites)
        {
            string module = name.Split('.')[2];
            bool reads = module is "query" or "query_a" or "recurrent_x" || (module is "up" or "router" && !_config.SharedParallelNorm);
            if (reads)
                TensorPrimitives.Add(total, site.Of(batch, sequence), total);
        }

        return total;
    }

    /// <summary>Query heads of the block with these weights, [H]: the norm of their channels' scores.</summary>
    public double[] Heads(int layer, Aggregation batch = Aggregation.L2, Aggregation sequence = Aggregation.Mean) =>
        [.. Site("output", layer).Of(batch, sequence).Chunk(_config.ValueHeadDim).Select(head => Math.Sqrt(head.Sum(score => score * score)))];

    /// <summary>Feed-forward neurons, [F], of a block or with experts of one of them.</summary>
    public double[] Neurons(int layer, int expert = -1, Aggregation batch = Aggregation.L2, Aggregation sequence = Aggregation.Mean) =>
        Site(expert < 0 ? "down" : "experts.down", layer, expert).Of(batch, sequence);

    /// <summary>How far blocks from one on, so many of them, turn the residual stream: the mean of 1 - cos (block influence, ShortGPT, arXiv 2403.03853).</summary>
    public double Influence(int first, int count = 1) => _influence[first, first + count] / Math.Max(1, Samples);

    /// <summary>Experts of a block, [E]: how far one moves a token that it is chosen for.</summary>
    public double[] ExpertsOf(int layer) =>
        [.. Enumerable.Range(0, _config.NumLocalExperts).Select(e => _experts.TryGetValue($"{layer}.{e}", out (double Norm, long Tokens) seen) ? seen.Norm / seen.Tokens : 0)];

    /// <summary>Keeps it in a file, so that another target needs no pass.</summary>
    /// <param name="path">A safetensors file.</param>
    /// <param name="text">The text's name, without its folder.</param>
    public void Write(string path, string text)
    {
        List<TensorEntry> entries = [];
        foreach ((string name, ChannelScores site) in _sites)
            entries.Add(Entry(name, [.. site.Sums.Concat(site.Squares).SelectMany(values => values), site.Samples]));
        entries.Add(Entry(Influences, [.. _influence.Cast<double>()]));
        foreach ((string name, (double norm, long tokens)) in _experts)
            entries.Add(Entry($"{Experts}.{name}", [norm, tokens]));
        SafetensorsWriter.Write(path, entries, new Dictionary<string, string>
        {
            ["kind"] = Kind,
            ["text"] = text,
            ["samples"] = Samples.ToString(CultureInfo.InvariantCulture),
            ["config"] = _config.Source.ToJsonString(),
        });

        static unsafe TensorEntry Entry(string name, double[] values)
        {
            Tensor tensor = Tensor.Allocate(TensorType.F64, values.Length);
            values.CopyTo(new Span<double>(tensor.Data, values.Length));
            return TensorEntry.Of(name, tensor);
        }
    }

    /// <summary>Reads what <see cref="Write"/> wrote for this model.</summary>
    /// <exception cref="InvalidInputException">It is no such file, or of another model.</exception>
    public static unsafe Importance Read(string path, ModelConfig config)
    {
        using SafetensorsFile file = SafetensorsFile.Open(path);
        if (file.Metadata.GetValueOrDefault("kind") != Kind || !long.TryParse(file.Metadata.GetValueOrDefault("samples"), CultureInfo.InvariantCulture, out long samples))
            throw new InvalidInputException(path, "kind", "is no file of importance: let --importance name one that is not there, and it is written");
        if (file.Metadata.GetValueOrDefault("config") != config.Source.ToJsonString())
            throw new InvalidInputException(path, "config", "is of another model: let --importance name another file, and it is written");
        Importance importance = new(config) { Samples = samples };
        foreach ((string name, Tensor tensor) in file.Tensors)
        {
            ReadOnlySpan<double> values = tensor.Type == TensorType.F64 ? new(tensor.Data, checked((int)tensor.Count)) : throw new InvalidInputException(path, name, "must be of type F64");
            if (name == Influences && values.Length == importance._influence.Length)
            {
                for (int i = 0; i < values.Length; i++)
                    importance._influence[i / (config.NumHiddenLayers + 1), i % (config.NumHiddenLayers + 1)] = values[i];
            }
            else if (name.StartsWith(Experts + ".", StringComparison.Ordinal) && values.Length == 2)
                importance._experts[name[(Experts.Length + 1)..]] = (values[0], (long)values[1]);
            else if (values.Length % 6 == 1)
            {
                int channels = values.Length / 6;
                ChannelScores scores = importance._sites[name] = new ChannelScores(channels) { Samples = (long)values[^1] };
                for (int i = 0; i < 6; i++)
                    values.Slice(i * channels, channels).CopyTo(i < 3 ? scores.Sums[i] : scores.Squares[i - 3]);
            }
            else
                throw new InvalidInputException(path, name, $"has {values.Length} values, which fits no model: the file is damaged");
        }

        return importance;
    }

    private ChannelScores Site(string module, int layer, int expert = -1) => _sites.TryGetValue(Parameter.NameOf(module, "weight", layer, expert), out ChannelScores? site)
        ? site
        : throw new InvalidInputException("importance", $"layers.{layer}.{module}", "the text never reached it: give more text");

    private void See(string parameter, MatrixView rows)
    {
        string module = parameter.Split('.')[2];
        if (module is not ("query" or "query_a" or "recurrent_x" or "up" or "router" or "output" or "down" or "experts"))
            return;
        if (!_sites.TryGetValue(parameter, out ChannelScores? site))
            _sites.Add(parameter, site = new ChannelScores(rows.Columns));
        site.Add(rows);
    }

    private void See(int layer, int expert, double norm)
    {
        (double sum, long tokens) = _experts.GetValueOrDefault($"{layer}.{expert}");
        _experts[$"{layer}.{expert}"] = (sum + norm, tokens + 1);
    }

    private void Turn(List<float[]> streams, int rows, int width)
    {
        for (int from = 0; from < streams.Count; from++)
        {
            for (int to = from + 1; to < streams.Count; to++)
            {
                double sum = 0;
                for (int r = 0; r < rows; r++)
                    sum += 1 - TensorPrimitives.CosineSimilarity(streams[from].AsSpan(r * width, width), streams[to].AsSpan(r * width, width));
                _influence[from, to] += sum / rows;
            }
        }
    }
}
