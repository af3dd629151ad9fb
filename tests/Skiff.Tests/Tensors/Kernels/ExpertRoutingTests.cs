using CsCheck;
using Skiff.Tensors;

namespace Skiff.Tests.Tensors;

public sealed unsafe class ExpertRoutingTests
{
    [Fact]
    public void KernelsAgreeWithTheTwinAndDoNotDependOnThreads()
    {
        Gen.Select(Gen.Int[0, 300], Gen.Int[1, 70], Gen.Int[1, 8], Gen.Bool, Gen.Int[0, 1 << 20]).Sample((tokens, count, most, rounded, seed) =>
        {
            Random random = new(seed);
            int chosen = Math.Min(most, count);
            float[] logits = Gradients.Values(random, tokens * count, 5), dWeights = Gradients.Values(random, tokens * chosen);
            // Few different values: many equal shares.
            for (int i = 0; i < logits.Length && rounded; i++)
                logits[i] = MathF.Round(logits[i]);
            Routed one = new(logits, count, chosen, dWeights, 1), three = new(logits, count, chosen, dWeights, 3);
            double[] z = Gradients.Widen(logits), p = PlainExpertRouting.Probabilities(z, count);
            int[] experts = PlainExpertRouting.Choose(p, count, chosen);
            if (!one.SameAs(three) || !one.Experts.SequenceEqual(experts) || !SlotsAreSorted(one, count, chosen))
                return false;
            if (tokens == 0)
                return one.Losses == (0, 0);
            (double balance, double zLoss) = PlainExpertRouting.Losses(z, count, experts);
            double[] dLogits = PlainExpertRouting.Backward(z, count, chosen, experts, Gradients.Widen(dWeights), Routed.Balance, Routed.Z);
            return Gradients.Distance(one.Probabilities, p) < 1e-7 && Gradients.Distance(one.Weights, PlainExpertRouting.Weights(p, count, chosen, experts)) < 1e-7
                && Gradients.Distance(one.DLogits, dLogits) < 2e-6 && Math.Abs(one.Losses.Balance - balance) < 1e-6 * balance && Math.Abs(one.Losses.Z - zLoss) < 1e-6 * (1 + zLoss);
        }, iter: 60);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void TheTwinsGradientsAreThoseOfFiniteDifferences(int chosen)
    {
        const int Tokens = 5, Count = 6;
        Random random = new(9);
        // Logits half apart: no step of the differences changes a choice.
        double[] logits = [.. Enumerable.Range(0, Tokens).SelectMany(_ => Enumerable.Range(0, Count).Select(e => 0.5 * e - 1).OrderBy(_ => random.Next()))];
        double[] dWeights = Gradients.Widen(Gradients.Values(random, Tokens * chosen));
        int[] experts = PlainExpertRouting.Choose(PlainExpertRouting.Probabilities(logits, Count), Count, chosen);
        foreach ((double balance, double z) in new[] { (0.0, 0.0), (0.7, 0.0), (0.0, 0.3), (0.7, 0.3) })
        {
            double[] dLogits = PlainExpertRouting.Backward(logits, Count, chosen, experts, dWeights, balance, z);
            // With one choice nothing passes the weights: there is nothing to be relative to.
            if (chosen == 1 && balance == 0 && z == 0)
                Assert.All(dLogits, value => Assert.Equal(0, value, 15));
            else
                Assert.True(Gradients.Error(logits, dLogits, Loss) < 1e-5);

            double Loss()
            {
                double[] p = PlainExpertRouting.Probabilities(logits, Count);
                Assert.Equal(experts, PlainExpertRouting.Choose(p, Count, chosen));
                (double balanceLoss, double zLoss) = PlainExpertRouting.Losses(logits, Count, experts);
                return Gradients.Dot(dWeights, PlainExpertRouting.Weights(p, Count, chosen, experts)) + balance * balanceLoss + z * zLoss;
            }
        }
    }

    [Fact]
    public void AnEvenRouterHasBalanceOneAndASingleExpertAsMuchAsThereAre()
    {
        // Each of four experts is the favourite of one token.
        float[] even = [9, 0, 0, 0, 0, 9, 0, 0, 0, 0, 9, 0, 0, 0, 0, 9], one = [40, 0, 0, 0, 40, 0, 0, 0, 40, 0, 0, 0, 40, 0, 0, 0];
        Assert.Equal(1, new Routed(even, 4, 1, new float[4], 1).Losses.Balance, 6);
        Assert.Equal(4, new Routed(one, 4, 1, new float[4], 1).Losses.Balance, 6);
        Assert.Equal(1600, new Routed(one, 4, 1, new float[4], 1).Losses.Z, 3);
    }

    [Fact]
    public void EqualsGoToTheLowerIndexAndNotANumberShowsButRoutes()
    {
        Routed equal = new([1, 2, 2, 2, 0, 0, 0, 0], 4, 2, new float[4], 1);
        Assert.Equal([1, 2, 0, 1], equal.Experts);
        Assert.Equal([1, 0, 1, 0], equal.Rows);
        Assert.Equal([1, 3, 0, 2], equal.Places);
        Assert.Equal([0, 1, 3, 4, 4], equal.Starts);
        Routed broken = new([1, float.NaN, 2, 3], 4, 2, new float[2], 1);
        Assert.Equal([0, 1], broken.Experts);
        Assert.All(broken.Weights.Concat(broken.DLogits), value => Assert.True(float.IsNaN(value)));
        Assert.True(double.IsNaN(broken.Losses.Balance) && double.IsNaN(broken.Losses.Z));
    }

    [Fact]
    public void WrongSizesAndExpertsAreRefused()
    {
        float[] values = new float[12];
        int[] numbers = new int[12];
        fixed (float* p = values)
        {
            MatrixView logits = new(p, 3, 4);
            Assert.Throws<ArgumentOutOfRangeException>(() => ExpertRouting.Forward(logits, 5, values, numbers, values, numbers, numbers, numbers));
            Assert.Throws<ArgumentOutOfRangeException>(() => ExpertRouting.Forward(logits, 0, values, [], [], [], [], numbers.AsSpan(0, 5)));
            Assert.Throws<ArgumentException>(() => ExpertRouting.Forward(logits, 2, values, numbers.AsSpan(0, 6), values.AsSpan(0, 6), numbers.AsSpan(0, 6), numbers.AsSpan(0, 6), numbers.AsSpan(0, 4)));
            Assert.Throws<ArgumentException>(() => ExpertRouting.Forward(logits, 2, values, numbers.AsSpan(0, 6), values.AsSpan(0, 5), numbers.AsSpan(0, 6), numbers.AsSpan(0, 6), numbers.AsSpan(0, 5)));
            Assert.Throws<ArgumentOutOfRangeException>(() => ExpertRouting.Losses(logits, 1, values, [0, 4, 0], numbers.AsSpan(0, 5)));
            Assert.Throws<ArgumentException>(() => ExpertRouting.Backward(logits, 1, values, [0, 3, 0], [1, 1, 1], [1, 1], numbers.AsSpan(0, 5), 0, 0, logits));
        }
    }

    // A stable sort of the choices by expert is the order of slots.
    private static bool SlotsAreSorted(Routed routed, int count, int chosen)
    {
        int[] order = [.. Enumerable.Range(0, routed.Experts.Length).OrderBy(i => routed.Experts[i])];
        return routed.Rows.SequenceEqual(order.Select(i => i / chosen)) && order.Select((i, slot) => routed.Places[i] == slot).All(same => same)
            && Enumerable.Range(0, count + 1).All(e => routed.Starts[e] == routed.Experts.Count(x => x < e));
    }

    /// <summary>Everything that routing gives, with rows of logits apart.</summary>
    private sealed class Routed
    {
        public const double Balance = 0.7, Z = 0.02;

        public readonly float[] Probabilities, Weights, DLogits;
        public readonly int[] Experts, Rows, Places, Starts;
        public readonly (double Balance, double Z) Losses;

        public Routed(float[] logits, int count, int chosen, float[] dWeights, int threads)
        {
            int tokens = logits.Length / count, choices = tokens * chosen, stride = count + 3;
            (Probabilities, Weights, DLogits) = (new float[logits.Length], new float[choices], new float[logits.Length]);
            (Experts, Rows, Places, Starts) = (new int[choices], new int[choices], new int[choices], new int[count + 1]);
            float[] apart = new float[tokens * stride];
            for (int n = 0; n < tokens; n++)
                logits.AsSpan(n * count, count).CopyTo(apart.AsSpan(n * stride));
            using ThreadTeam team = new(threads);
            fixed (float* z = apart, dz = DLogits)
            {
                MatrixView view = new(z, tokens, count, stride);
                ExpertRouting.Forward(view, chosen, Probabilities, Experts, Weights, Rows, Places, Starts, team);
                Losses = ExpertRouting.Losses(view, chosen, Probabilities, Experts, Starts, team);
                ExpertRouting.Backward(view, chosen, Probabilities, Experts, Weights, dWeights, Starts, Balance, Z, new MatrixView(dz, tokens, count), team);
            }
        }

        public bool SameAs(Routed other) => Probabilities.AsSpan().SequenceEqual(other.Probabilities) && Weights.AsSpan().SequenceEqual(other.Weights)
            && DLogits.AsSpan().SequenceEqual(other.DLogits) && Experts.AsSpan().SequenceEqual(other.Experts) && Rows.AsSpan().SequenceEqual(other.Rows)
            && Places.AsSpan().SequenceEqual(other.Places) && Starts.AsSpan().SequenceEqual(other.Starts) && Losses == other.Losses;
    }
}
