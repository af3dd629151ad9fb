using CsCheck;
using Skiff.Tensors;

namespace Skiff.Tests.Tensors;

public sealed class ClippingTests
{
    private static readonly Gen<int> s_lengths = Gen.OneOf(Gen.Int[0, 70], Gen.Int[32_700, 32_850], Gen.Int[65_530, 140_000]);

    [Fact]
    public void TheSquaredNormIsThatOfTheTwinAndTheSameForAnyNumberOfThreads()
    {
        Gen.Select(s_lengths, Gen.Int[0, 1 << 20]).Sample((count, seed) =>
        {
            float[] x = Values(count, seed);
            using ThreadTeam alone = new(1), team = new(5);
            double sum = SquaredNorm.Compute(x, team), twin = SquaredNorm.Scalar(x);
            return sum.Equals(SquaredNorm.Compute(x, alone)) && Math.Abs(sum - twin) <= 1e-12 * twin;
        }, iter: 60);
    }

    [Fact]
    public void ScalingHasTheTwinsBits()
    {
        Gen.Select(s_lengths, Gen.Int[0, 1 << 20]).Sample((count, seed) =>
        {
            float[] x = Values(count, seed), twin = [.. x];
            using ThreadTeam team = new(3);
            Scale.Apply(x, 0.37f, team);
            Scale.Scalar(twin, 0.37f, twin);
            return x.AsSpan().SequenceEqual(twin);
        }, iter: 60);
    }

    [Fact]
    public void DamageShowsInTheNorm()
    {
        float[] x = Values(100_000, 1);
        x[70_001] = float.NaN;
        Assert.True(double.IsNaN(SquaredNorm.Compute(x)));
        x[70_001] = float.NegativeInfinity;
        Assert.Equal(double.PositiveInfinity, SquaredNorm.Compute(x));
        x[70_001] = float.MaxValue;
        Assert.True(double.IsFinite(SquaredNorm.Compute(x)));
    }

    private static float[] Values(int count, int seed)
    {
        Random random = new(seed);
        return [.. Enumerable.Range(0, count).Select(_ => (float)random.NextDouble() * 2 - 1)];
    }
}
