using System.Numerics.Tensors;
using System.Security.Cryptography;
using Skiff.Tensors;

namespace Skiff.Inference;

/// <summary>
/// Greedy, temperature, cuts, penalties and biases, in the order <see cref="SamplingOptions"/> states.
/// The same seed, options and logits give the same tokens. V is the vocabulary size.
/// </summary>
public sealed class Sampler : ISampler
{
    private readonly SamplingOptions _options;
    private readonly SplitMix64 _random;
    private readonly float[] _logits;
    // e^((logit - largest) / temperature) by id: probabilities up to one common factor, the largest being 1.
    private readonly float[] _weights;
    // Ids still in the running lie in front.
    private readonly int[] _ids;
    // How often an id occurred, while the penalties run.
    private readonly int[] _seen;
    // How near an id's surprise is to the one expected, negated.
    private readonly float[] _typical;
    private readonly KeyValuePair<int, float>[] _biases;

    /// <summary>A sampler at the start of its random numbers.</summary>
    /// <exception cref="InvalidInputException">An option out of its range.</exception>
    public Sampler(SamplingOptions options, int vocabularySize)
    {
        options.Validate("sampling");
        _options = options;
        Seed = options.Seed ?? BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(sizeof(ulong)));
        _random = new SplitMix64(Seed);
        _logits = new float[vocabularySize];
        _weights = new float[vocabularySize];
        _ids = new int[vocabularySize];
        _seen = new int[options is { RepetitionPenalty: 1, FrequencyPenalty: 0, PresencePenalty: 0 } ? 0 : vocabularySize];
        _typical = new float[options.TypicalP == 1 ? 0 : vocabularySize];
        _biases = [.. options.LogitBias ?? new Dictionary<int, float>()];
        foreach ((int id, _) in _biases)
        {
            if (id >= vocabularySize)
                throw new InvalidInputException("sampling", "logit-bias", $"id {id} is outside the vocabulary of {vocabularySize}");
        }
    }

    /// <summary>The seed in use: the one given, or the one taken from the system.</summary>
    public ulong Seed { get; }

    /// <inheritdoc/>
    public int Sample(ReadOnlySpan<float> logits, ReadOnlySpan<int> history)
    {
        Adjust(logits, history);
        float largest = Largest(_logits);
        if (_options.Temperature == 0)
            return _logits.AsSpan().IndexOf(largest);
        ReadOnlySpan<int> kept = Keep(largest);
        double total = 0;
        foreach (int id in kept)
            total += _weights[id];
        double left = _random.NextDouble() * total;
        foreach (int id in kept)
        {
            left -= _weights[id];
            if (left < 0)
                return id;
        }

        // Rounding may leave a trace: it belongs to the last one that can be drawn at all.
        int last = kept.Length - 1;
        while (_weights[kept[last]] == 0)
            last--;
        return kept[last];
    }

    /// <summary>The ids that can be drawn for these logits; their order is not part of the contract.</summary>
    internal ReadOnlySpan<int> Kept(ReadOnlySpan<float> logits, ReadOnlySpan<int> history)
    {
        Adjust(logits, history);
        return Keep(Largest(_logits));
    }

    /// <summary>The largest logit, which must be finite.</summary>
    internal static float Largest(ReadOnlySpan<float> logits)
    {
        float largest = TensorPrimitives.Max(logits);
        return float.IsFinite(largest)
            ? largest
            : throw new InvalidInputException("model", "logits", $"the largest is {largest}: the weights are damaged, or too large for their number format");
    }

    private void Adjust(ReadOnlySpan<float> logits, ReadOnlySpan<int> history)
    {
        logits.CopyTo(_logits);
        foreach ((int id, float bias) in _biases)
            _logits[id] += bias;
        if (_biases.Length > 0 && !_logits.AsSpan().ContainsAnyExcept(float.NegativeInfinity))
            throw new InvalidInputException("sampling", "logit-bias", "leaves no token that could be drawn");
        if (_seen.Length == 0)
            return;
        int window = _options.RepetitionWindow == 0 ? history.Length : Math.Min(_options.RepetitionWindow, history.Length);
        ReadOnlySpan<int> recent = history[^window..];
        foreach (int id in recent)
            _seen[id]++;
        foreach (int id in recent)
        {
            // Once a token, however often it occurred.
            if (_seen[id] == 0)
                continue;
            _logits[id] = _logits[id] > 0 ? _logits[id] / _options.RepetitionPenalty : _logits[id] * _options.RepetitionPenalty;
            _logits[id] -= _seen[id] * _options.FrequencyPenalty + _options.PresencePenalty;
            _seen[id] = 0;
        }
    }

    private ReadOnlySpan<int> Keep(float largest)
    {
        Span<int> ids = _ids;
        for (int i = 0; i < ids.Length; i++)
            ids[i] = i;
        if (_options.TopK > 0 && _options.TopK < ids.Length)
        {
            Ranking.Select(ids, _logits, _options.TopK);
            ids = ids[.._options.TopK];
        }

        TensorPrimitives.Subtract(_logits, largest, _weights);
        TensorPrimitives.Divide(_weights, _options.Temperature, _weights);
        TensorPrimitives.Exp(_weights, _weights);
        if (_options.TopP < 1)
            ids = ids[..Ranking.Nucleus(ids, _weights, _weights, _options.TopP)];
        if (_options.MinP > 0)
        {
            // The most probable token has weight 1, so the fraction is the bound itself.
            int count = 0;
            foreach (int id in ids)
            {
                if (_weights[id] >= _options.MinP)
                    ids[count++] = id;
            }

            ids = ids[..count];
        }

        return _options.TypicalP < 1 ? ids[..Typical(ids)] : ids;
    }

    // Moves the typical ones to the front; how many.
    private int Typical(Span<int> ids)
    {
        double total = 0, expected = 0;
        foreach (int id in ids)
            total += _weights[id];
        foreach (int id in ids)
        {
            double p = _weights[id] / total;
            expected -= p > 0 ? p * Math.Log(p) : 0;
        }

        foreach (int id in ids)
            _typical[id] = -(float)Math.Abs(-Math.Log(_weights[id] / total) - expected);
        return Ranking.Nucleus(ids, _typical, _weights, _options.TypicalP);
    }
}
