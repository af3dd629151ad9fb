// V vocabulary
using Skiff.Inference;
using Skiff.Models;

namespace Skiff.Compression;

/// <summary>How far a model's predictions have moved from another's over a text.</summary>
/// <param name="Kl">Mean KL(original || model) of a token, nats.</param>
/// <param name="Loss">Mean loss of the model's, nats.</param>
/// <param name="SameTop">Share of tokens whose likeliest successor is the same.</param>
public readonly record struct ModelDivergence(double Kl, double Loss, double SameTop)
{
    /// <summary>Measures over samples of tokens.</summary>
    public static ModelDivergence Measure(Model original, Model model, IReadOnlyList<Memory<int>> samples, CancellationToken stop = default) =>
        new OriginalLogits(original, samples).Against(model, stop);
}

/// <summary>An original's logits over samples, kept so that many others can be held against them.</summary>
internal sealed class OriginalLogits
{
    private const int Rows = 128;

    private readonly IReadOnlyList<Memory<int>> _samples;
    private readonly List<float[]> _pieces = [];
    private readonly int _vocabulary;

    public OriginalLogits(Model original, IReadOnlyList<Memory<int>> samples)
    {
        (_samples, _vocabulary) = (samples, original.Config.VocabSize);
        Walk(original, (_, _, logits) => _pieces.Add(logits.ToArray()), default);
    }

    public ModelDivergence Against(Model model, CancellationToken stop)
    {
        double kl = 0, loss = 0;
        long same = 0, count = 0;
        int piece = 0;
        Walk(model, (sample, start, logits) =>
        {
            float[] original = _pieces[piece++];
            for (int r = 0; r < logits.Length / _vocabulary; r++)
            {
                ReadOnlySpan<float> p = original.AsSpan(r * _vocabulary, _vocabulary), q = logits.Slice(r * _vocabulary, _vocabulary);
                int target = sample.Span[start + r + 1];
                (double divergence, bool top) = Row(p, q);
                kl += divergence;
                same += top ? 1 : 0;
                loss -= LogProbability.Of(q, target);
                count++;
            }
        }, stop);
        return new ModelDivergence(kl / count, loss / count, (double)same / count);
    }

    private static (double Kl, bool SameTop) Row(ReadOnlySpan<float> p, ReadOnlySpan<float> q)
    {
        int topP = 0, topQ = 0;
        for (int v = 1; v < p.Length; v++)
            (topP, topQ) = (p[v] > p[topP] ? v : topP, q[v] > q[topQ] ? v : topQ);
        double sumP = 0, sumQ = 0, weighted = 0;
        for (int v = 0; v < p.Length; v++)
        {
            double a = (double)p[v] - p[topP], b = (double)q[v] - q[topQ], e = Math.Exp(a);
            sumP += e;
            sumQ += Math.Exp(b);
            weighted += e * (a - b);
        }

        return ((weighted / sumP) - Math.Log(sumP / sumQ), topP == topQ);
    }

    private delegate void Visitor(Memory<int> sample, int start, ReadOnlySpan<float> logits);

    private void Walk(Model model, Visitor visit, CancellationToken stop)
    {
        using InferenceEngine engine = new(model, new InferenceEngineOptions { MaxRows = Rows, CacheType = Skiff.Tensors.TensorType.F32 });
        float[] logits = new float[Rows * _vocabulary];
        foreach (Memory<int> sample in _samples)
        {
            stop.ThrowIfCancellationRequested();
            using InferenceSequence sequence = engine.CreateSequence(sample.Length);
            for (int start = 0; start < sample.Length - 1; start += Rows)
            {
                int count = Math.Min(Rows, sample.Length - 1 - start);
                engine.Forward([new SequenceTokens(sequence, sample.Slice(start, count), WantedLogits.All)], logits.AsSpan(0, count * _vocabulary));
                visit(sample, start, logits.AsSpan(0, count * _vocabulary));
            }
        }
    }
}
