using Skiff.Tensors;

namespace Skiff.Inference;

/// <summary>
/// The sampler of llama2.c's <c>run.c</c>, number for number: the same logits and seed draw the same tokens. Everything
/// is float32 and summed in its order; <see cref="MathF.Exp"/> is the C library's <c>expf</c>, as there.
/// Source: karpathy/llama2.c, <c>run.c</c> at 350e04fe3543.
/// </summary>
public sealed class Llama2cSampler : ISampler
{
    private readonly float _temperature;
    private readonly float _topP;
    private readonly float[] _probabilities;
    private readonly (float Probability, int Id)[] _candidates;
    private ulong _state;

    /// <summary>A sampler for V = <paramref name="vocabularySize"/> logits.</summary>
    /// <param name="temperature">0 for the most probable token.</param>
    /// <param name="topP">0 or 1 for drawing from the whole distribution.</param>
    /// <param name="seed">At least 1; <c>run.c</c> reads 0 as the time of day.</param>
    /// <param name="vocabularySize">V.</param>
    /// <exception cref="InvalidInputException">An option out of its range.</exception>
    public Llama2cSampler(float temperature, float topP, ulong seed, int vocabularySize)
    {
        new SamplingOptions { Temperature = temperature, TopP = topP }.Validate("sampling");
        if (seed == 0)
            throw new InvalidInputException("sampling", "seed", "llama2.c takes 0 for the time of day; give 1 or more");
        _temperature = temperature;
        _topP = topP;
        _state = seed;
        _probabilities = new float[vocabularySize];
        _candidates = new (float, int)[vocabularySize];
    }

    /// <inheritdoc/>
    public int Sample(ReadOnlySpan<float> logits, ReadOnlySpan<int> history)
    {
        float largest = Sampler.Largest(logits);
        if (_temperature == 0)
            return logits.IndexOf(largest);
        Softmax(logits);
        float coin = NextFloat();
        return _topP is <= 0 or >= 1 ? FromAll(coin) : FromNucleus(coin);
    }

    private void Softmax(ReadOnlySpan<float> logits)
    {
        Span<float> p = _probabilities;
        for (int i = 0; i < p.Length; i++)
            p[i] = logits[i] / _temperature;
        float largest = Sampler.Largest(p);
        float sum = 0;
        for (int i = 0; i < p.Length; i++)
        {
            p[i] = MathF.Exp(p[i] - largest);
            sum += p[i];
        }

        for (int i = 0; i < p.Length; i++)
            p[i] /= sum;
    }

    private int FromAll(float coin)
    {
        float sum = 0;
        for (int i = 0; i < _probabilities.Length; i++)
        {
            sum += _probabilities[i];
            if (coin < sum)
                return i;
        }

        // Rounding may leave a trace: it belongs to the last one that can be drawn at all.
        return Array.FindLastIndex(_probabilities, p => p > 0);
    }

    private int FromNucleus(float coin)
    {
        // Whatever is rarer than this cannot be part of the nucleus, so it need not be sorted.
        float cutoff = (1 - _topP) / (_probabilities.Length - 1);
        int count = 0;
        for (int i = 0; i < _probabilities.Length; i++)
        {
            if (_probabilities[i] >= cutoff)
                _candidates[count++] = (_probabilities[i], i);
        }

        Span<(float Probability, int Id)> candidates = _candidates.AsSpan(0, count);
        // The C library's qsort merges, so equal probabilities keep the order of their ids.
        candidates.Sort(static (a, b) => a.Probability > b.Probability ? -1 : a.Probability < b.Probability ? 1 : a.Id.CompareTo(b.Id));
        float sum = 0;
        int last = count - 1;
        for (int i = 0; i < count; i++)
        {
            sum += candidates[i].Probability;
            if (sum > _topP)
            {
                last = i;
                break;
            }
        }

        float wanted = coin * sum;
        float reached = 0;
        for (int i = 0; i <= last; i++)
        {
            reached += candidates[i].Probability;
            if (wanted < reached)
                return candidates[i].Id;
        }

        return candidates[last].Id;
    }

    // xorshift* (Vigna 2016); its upper 24 bits make a float32 from 0 up to but not including 1.
    private float NextFloat()
    {
        _state ^= _state >> 12;
        _state ^= _state << 25;
        _state ^= _state >> 27;
        uint bits = (uint)((_state * 0x2545F4914F6CDD1D) >> 32);
        return (bits >> 8) / 16777216f;
    }
}
