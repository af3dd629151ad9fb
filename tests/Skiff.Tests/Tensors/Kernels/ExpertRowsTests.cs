using System.Text;
using CsCheck;
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Tests.Tensors;

public sealed unsafe class ExpertRowsTests
{
    [Fact]
    public void KernelsAgreeWithTheTwinAndDoNotDependOnThreads()
    {
        Gen.Select(Gen.Int[0, 120], Gen.Int[1, 5], Gen.Int[1, 300], Gen.Bool, Gen.Int[0, 1 << 20]).Sample((tokens, chosen, width, accumulate, seed) =>
        {
            Random random = new(seed);
            int slots = tokens * chosen;
            int[] places = [.. Enumerable.Range(0, slots).OrderBy(_ => random.Next())], rows = new int[slots];
            for (int i = 0; i < slots; i++)
                rows[places[i]] = i / chosen;
            float[] x = Gradients.Values(random, tokens * width), y = Gradients.Values(random, slots * width), weights = Gradients.Values(random, slots);
            float[][] one = Run(1), three = Run(3);

            // The sums have the twin's very bits; only the products of two rows are added in vectors.
            float[] combined = new float[x.Length], dx = accumulate ? [.. x] : new float[x.Length], ones = [.. weights.Select(_ => 1f)];
            ExpertRows.Scalar<float>(y, width, weights, places, combined);
            ExpertRows.Scalar<float>(y, width, ones, places, dx);
            double[] dy = new double[y.Length], dWeights = new double[slots];
            if (tokens > 0)
                ExpertRows.ScalarBackward(Gradients.Widen(x), Gradients.Widen(y), width, Gradients.Widen(weights), places, dy, dWeights);
            return one.Zip(three).All(p => p.First.AsSpan().SequenceEqual(p.Second))
                && one[0].AsSpan().SequenceEqual([.. rows.SelectMany(n => x.Skip(n * width).Take(width))])
                && one[1].AsSpan().SequenceEqual(combined) && one[2].AsSpan().SequenceEqual(dx)
                && Gradients.Distance(one[3], dy) < 1e-7 && Gradients.Distance(one[4], dWeights) < 5e-6;

            float[][] Run(int threads)
            {
                using ThreadTeam team = new(threads);
                float[] gathered = new float[y.Length], result = new float[x.Length], change = [.. x], back = [.. y], weightChange = new float[slots];
                fixed (float* px = x, py = y, pg = gathered, pr = result, pc = change, pb = back)
                {
                    MatrixView slotsOf = new(py, slots, width), inPlace = new(pb, slots, width);
                    ExpertRows.Gather(new MatrixView(px, tokens, width), rows, new MatrixView(pg, slots, width), team);
                    ExpertRows.Combine(slotsOf, weights, places, new MatrixView(pr, tokens, width), team);
                    ExpertRows.GatherBackward(slotsOf, places, new MatrixView(pc, tokens, width), accumulate, team);
                    ExpertRows.CombineBackward(new MatrixView(px, tokens, width), inPlace, weights, places, inPlace, weightChange, team);
                }

                return [gathered, result, change, back, weightChange];
            }
        }, iter: 40);
    }

    [Fact]
    public void TheTwinsGradientsAreThoseOfFiniteDifferences()
    {
        const int Width = 3;
        Random random = new(2);
        int[] rows = [1, 0, 1, 0], places = [3, 1, 0, 2];
        double[] x = Values(2 * Width), y = Values(4 * Width), weights = Values(4), dOut = Values(2 * Width);
        double[] dx = new double[x.Length], dy = new double[y.Length], dWeights = new double[4], slots = new double[y.Length];
        ExpertRows.ScalarBackward(dOut, y, Width, weights, places, dy, dWeights);
        Assert.True(Gradients.Error(y, dy, CombineLoss) < 1e-5);
        Assert.True(Gradients.Error(weights, dWeights, CombineLoss) < 1e-5);
        ExpertRows.Scalar<double>(y, Width, [1, 1, 1, 1], places, dx);
        Assert.True(Gradients.Error(x, dx, GatherLoss) < 1e-5);

        double[] Values(int count) => Gradients.Widen(Gradients.Values(random, count));

        double CombineLoss()
        {
            double[] result = new double[dOut.Length];
            ExpertRows.Scalar<double>(y, Width, weights, places, result);
            return Gradients.Dot(dOut, result);
        }

        double GatherLoss()
        {
            EmbeddingLookup.Scalar<double>(x, Width, rows, 1, slots);
            return Gradients.Dot(y, slots);
        }
    }

    [Fact]
    public void RoutedExpertsAreThePlainDecodersMixture()
    {
        const int Tokens = 33, Width = 24, Inner = 20, Experts = 7, Chosen = 3;
        ModelConfig config = ModelConfig.Parse(Encoding.UTF8.GetBytes($$"""
            {"architectures": ["MixtralForCausalLM"], "hidden_act": "silu", "hidden_size": {{Width}}, "intermediate_size": {{Inner}}, "max_position_embeddings": 64,
             "model_type": "mixtral", "num_attention_heads": 2, "num_experts_per_tok": {{Chosen}}, "num_hidden_layers": 1, "num_key_value_heads": 2, "num_local_experts": {{Experts}},
             "rms_norm_eps": 1e-05, "rope_theta": 10000.0, "sliding_window": null, "tie_word_embeddings": false, "vocab_size": 100}
            """), "config.json");
        Random random = new(4);
        Dictionary<string, Tensor> tensors = [];
        DecoderFeedForward plain = new(config, config.Layers[0], Find);
        float[] x = Gradients.Values(random, Tokens * Width), logits = new float[Tokens * Experts], p = new float[logits.Length], weights = new float[Tokens * Chosen];
        int[] experts = new int[weights.Length], rows = new int[weights.Length], places = new int[weights.Length], starts = new int[Experts + 1];
        float[] gathered = new float[weights.Length * Width], gate = new float[weights.Length * Inner], up = new float[gate.Length], result = new float[x.Length];
        float[] expected = plain.Apply(x, Tokens);
        Linear.Apply(tensors[Parameter.NameOf("router", "weight", 0)], null, x, logits);
        fixed (float* px = x, pl = logits, ps = gathered, pg = gate, pu = up, pr = result)
        {
            MatrixView slots = new(ps, weights.Length, Width), gates = new(pg, weights.Length, Inner), ups = new(pu, weights.Length, Inner);
            ExpertRouting.Forward(new MatrixView(pl, Tokens, Experts), Chosen, p, experts, weights, rows, places, starts);
            ExpertRows.Gather(new MatrixView(px, Tokens, Width), rows, slots);
            for (int e = 0; e < Experts; e++)
            {
                int first = starts[e], count = starts[e + 1] - first;
                MatrixView part = slots.Block(first, count, 0, Width), gatePart = gates.Block(first, count, 0, Inner), upPart = ups.Block(first, count, 0, Inner);
                MatrixProduct.Multiply(part, Weight("gate", e).Transposed, gatePart);
                MatrixProduct.Multiply(part, Weight("up", e).Transposed, upPart);
                FeedForwardActivation.Forward(Activation.Silu, gatePart, upPart, gatePart);
                MatrixProduct.Multiply(gatePart, Weight("down", e).Transposed, part);
            }

            ExpertRows.Combine(slots, weights, places, new MatrixView(pr, Tokens, Width));
        }

        Assert.True(Gradients.Distance(result, Gradients.Widen(expected)) < 2e-6);

        MatrixView Weight(string module, int expert) => MatrixView.Of(tensors[Parameter.NameOf("experts." + module, "weight", 0, expert)]);

        Tensor Find(string name)
        {
            if (!tensors.TryGetValue(name, out Tensor? tensor))
            {
                (int outputs, int inputs) = name.Contains("router") ? (Experts, Width) : name.Contains("down") ? (Width, Inner) : (Inner, Width);
                tensors[name] = tensor = Tensor.FromFloats(Gradients.Values(random, outputs * inputs), outputs, inputs);
            }

            return tensor;
        }
    }

    [Fact]
    public void WrongSizesAndSlotsAreRefused()
    {
        float[] values = new float[24];
        fixed (float* p = values)
        {
            MatrixView tokens = new(p, 2, 3), slots = new(p, 4, 3);
            Assert.Throws<ArgumentException>(() => ExpertRows.Combine(slots, [1, 1, 1], [0, 1, 2, 3], tokens));
            Assert.Throws<ArgumentException>(() => ExpertRows.Combine(slots, [1, 1, 1], [0, 1, 2], tokens));
            Assert.Throws<ArgumentException>(() => ExpertRows.GatherBackward(slots.Block(0, 3, 0, 3), [0, 1, 2], tokens));
            Assert.Throws<ArgumentOutOfRangeException>(() => ExpertRows.GatherBackward(slots, [0, 1, 2, 4], tokens));
            Assert.Throws<ArgumentOutOfRangeException>(() => ExpertRows.Gather(tokens, [0, 1, 2, 0], slots));
            Assert.Throws<ArgumentException>(() => ExpertRows.CombineBackward(tokens, slots, [1, 1, 1, 1], [0, 1, 2, 3], tokens, values.AsSpan(0, 4)));
        }
    }
}
