// T tokens of a call, D model, H heads, V vocabulary
using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>
/// The forward pass of any described decoder in plain single precision, written for clearness: every faster kernel and
/// engine is tested against it. Sums run in double precision, so its results do not depend on the processor.
/// </summary>
public sealed class Decoder
{
    private readonly Func<string, Tensor> _parameter;
    private readonly DecoderBlock[] _blocks;
    private readonly Tensor _embedding;
    private readonly Tensor _head;
    private readonly DecoderNorm? _finalNorm;
    private readonly DecoderNorm? _embeddingNorm;

    /// <summary>A decoder over a model's parameters.</summary>
    public Decoder(Model model)
        : this(model.Config, model.Parameter)
    {
    }

    internal Decoder(ModelConfig config, Func<string, Tensor> parameter)
    {
        Config = config;
        _parameter = parameter;
        _embedding = parameter("embedding.weight");
        _head = config.TieWordEmbeddings ? _embedding : parameter("head.weight");
        _finalNorm = config.FinalNorm ? new DecoderNorm(config.Norm, parameter, "final_norm") : null;
        _embeddingNorm = config.EmbeddingNorm ? new DecoderNorm(config.Norm, parameter, "embedding_norm") : null;
        _blocks = [.. config.Layers.Select(layer => new DecoderBlock(config, layer, parameter))];
    }

    /// <summary>What is computed.</summary>
    public ModelConfig Config { get; }

    /// <summary>Logits per position, V.</summary>
    public int VocabularySize => Config.VocabSize;

    /// <summary>Positions a sequence may have.</summary>
    public int MaxPositions => Config.MaxPositionEmbeddings;

    /// <summary>An empty sequence.</summary>
    /// <param name="plannedLength">
    /// Positions it is going to have, where known: LongRoPE and dynamic scaling choose their frequencies by it.
    /// </param>
    public DecoderState CreateState(int plannedLength = 0) => new(Config, plannedLength);

    /// <summary>Processes tokens after those that the state holds.</summary>
    /// <param name="state">The sequence so far; it grows by the tokens.</param>
    /// <param name="tokens">T ids.</param>
    /// <param name="logits">[V] for the last position alone, or [T, V] for all.</param>
    /// <exception cref="InvalidInputException">An id outside the vocabulary, or a sequence beyond <see cref="MaxPositions"/>.</exception>
    public void Forward(DecoderState state, ReadOnlySpan<int> tokens, Span<float> logits)
    {
        int time = tokens.Length, vocabulary = VocabularySize;
        if (time == 0)
            throw new ArgumentException("no tokens", nameof(tokens));
        if (logits.Length != vocabulary && logits.Length != (long)time * vocabulary)
            throw new ArgumentException($"{logits.Length} logits for {time} positions of {vocabulary}", nameof(logits));
        if ((long)state.Position + time > MaxPositions)
            throw new InvalidInputException("input", "tokens", $"{state.Position + (long)time} positions are more than the model's context of {MaxPositions}");

        float[] x = Embed(tokens, state.Position);
        state.Append(tokens);
        for (int i = 0; i < _blocks.Length; i++)
            _blocks[i].Apply(x, time, state, state.Layers[i]);
        state.Position += time;

        int wanted = logits.Length / vocabulary;
        Span<float> last = x.AsSpan((time - wanted) * Config.HiddenSize);
        _finalNorm?.Apply(last, Config.HiddenSize);
        if (Config.WordEmbedProjDim != Config.HiddenSize)
            last = Project("output_projection.weight", last, Config.WordEmbedProjDim);
        if (Config.LogitScale != 1)
            Scale(last, Config.LogitScale);
        Linear.Apply(_head, Config.HeadBias ? _parameter("head.bias") : null, last, logits);
        if (Config.FinalLogitSoftcapping > 0)
        {
            for (int i = 0; i < logits.Length; i++)
                logits[i] = (float)Elementwise.SoftCap(logits[i], Config.FinalLogitSoftcapping);
        }
    }

    private float[] Embed(ReadOnlySpan<int> tokens, int position)
    {
        int columns = Config.WordEmbedProjDim;
        float[] x = new float[tokens.Length * columns];
        for (int t = 0; t < tokens.Length; t++)
        {
            if ((uint)tokens[t] >= (uint)VocabularySize)
                throw new InvalidInputException("input", "tokens", $"id {tokens[t]} is outside the vocabulary of {VocabularySize}");
            _embedding.ReadRow(tokens[t], x.AsSpan(t * columns, columns));
        }

        if (Config.EmbeddingScale != 1)
            Scale(x, Config.EmbeddingScale);
        if (columns != Config.HiddenSize)
            x = Project("embedding_projection.weight", x, Config.HiddenSize);
        if (Config.Position == PositionKind.Learned)
        {
            float[] row = new float[Config.HiddenSize];
            for (int t = 0; t < tokens.Length; t++)
            {
                _parameter("position_embedding.weight").ReadRow(position + t + Config.PositionOffset, row);
                Add(x.AsSpan(t * row.Length, row.Length), row, 1);
            }
        }

        _embeddingNorm?.Apply(x, Config.HiddenSize);
        return x;
    }

    private float[] Project(string weight, ReadOnlySpan<float> x, int outputs)
    {
        Tensor matrix = _parameter(weight);
        float[] y = new float[x.Length / matrix.Columns * outputs];
        Linear.Apply(matrix, null, x, y);
        return y;
    }

    internal static void Scale(Span<float> x, double factor)
    {
        for (int i = 0; i < x.Length; i++)
            x[i] = (float)(x[i] * factor);
    }

    internal static void Add(Span<float> x, ReadOnlySpan<float> y, double factor)
    {
        for (int i = 0; i < x.Length; i++)
            x[i] = (float)(x[i] + y[i] * factor);
    }
}

/// <summary>A norm with its parameters at hand.</summary>
internal sealed class DecoderNorm
{
    private readonly NormConfig _config;
    private readonly float[] _gain;
    private readonly float[] _bias;

    public DecoderNorm(NormConfig config, Func<string, Tensor> parameter, string module, int layer = -1, int index = -1, bool? gain = null, bool? bias = null)
    {
        _config = config;
        _gain = gain ?? config.Gain ? Read(parameter(Parameter.NameOf(module, "weight", layer, index))) : [];
        _bias = bias ?? config.Bias ? Read(parameter(Parameter.NameOf(module, "bias", layer, index))) : [];
    }

    /// <summary>Normalizes each group of <paramref name="size"/> values in place.</summary>
    public void Apply(Span<float> x, int size) =>
        Norm.Apply(x, size, _config.Rms, _config.Epsilon, _gain, _bias, _config.GainOffset);

    private static float[] Read(Tensor tensor)
    {
        float[] values = new float[tensor.Count];
        tensor.Reshape(1, tensor.Count).ReadRow(0, values);
        return values;
    }
}
