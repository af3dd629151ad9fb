using Skiff.Evaluation;

namespace Skiff.Tests.Evaluation;

public sealed class PairedTests
{
    [Fact]
    public void TheIntervalIsThatOfTheDifferenceAndItemsOfAClusterStayTogether()
    {
        Random random = new(1);
        int count = 4000;
        double[] a = [.. Enumerable.Range(0, count).Select(_ => random.NextDouble() < 0.7 ? 1.0 : 0)], b = [.. Enumerable.Range(0, count).Select(_ => random.NextDouble() < 0.6 ? 1.0 : 0)];
        Interval own = Paired.Difference(a, b, [.. Enumerable.Range(0, count)]);
        Assert.Equal(a.Average() - b.Average(), own.Mean, 1e-12);
        // Normal theory: 1.96 standard errors to either side.
        double error = 1.96 * Math.Sqrt(a.Zip(b, (x, y) => Math.Pow(x - y - own.Mean, 2)).Sum() / count / count);
        Assert.InRange(own.Mean - own.Low, 0.85 * error, 1.15 * error);
        Assert.InRange(own.High - own.Mean, 0.85 * error, 1.15 * error);
        Assert.Equal(own, Paired.Difference(a, b, [.. Enumerable.Range(0, count)]));

        // Each item eight times is no more evidence than once.
        double[] a8 = [.. a.SelectMany(x => Enumerable.Repeat(x, 8))], b8 = [.. b.SelectMany(x => Enumerable.Repeat(x, 8))];
        Interval together = Paired.Difference(a8, b8, [.. Enumerable.Range(0, a8.Length).Select(i => i / 8)]), apart = Paired.Difference(a8, b8, [.. Enumerable.Range(0, a8.Length)]);
        Assert.InRange((together.High - together.Low) / (own.High - own.Low), 0.85, 1.15);
        Assert.InRange((apart.High - apart.Low) / (own.High - own.Low), 0.25, 0.45);
    }

    // 19 intervals of 20 hold the truth.
    [Fact]
    public void IntervalsHoldTheTruthAsOftenAsTheySay()
    {
        Random random = new(2);
        int held = 0;
        for (int round = 0; round < 200; round++)
        {
            double[] a = [.. Enumerable.Range(0, 150).Select(_ => random.NextDouble() < 0.5 ? 1.0 : 0)], b = [.. a.Select(x => random.NextDouble() < 0.2 ? 1 - x : x)];
            Interval interval = Paired.Difference(a, b, [.. Enumerable.Range(0, 150)]);
            held += interval.Low <= 0 && interval.High >= 0 ? 1 : 0;
        }

        Assert.InRange(held, 180, 198);
    }

    [Theory]
    [InlineData(0, 0, 1)]
    [InlineData(5, 5, 1)]
    [InlineData(1, 9, 0.021484375)]
    [InlineData(0, 10, 0.001953125)]
    public void McNemarCountsItemsOnWhichTheSidesDiffer(int first, int second, double p)
    {
        double[] a = [.. Enumerable.Repeat(1.0, first), .. Enumerable.Repeat(0.0, second), 1, 0], b = [.. Enumerable.Repeat(0.0, first), .. Enumerable.Repeat(1.0, second), 1, 0];
        Assert.Equal(p, Paired.McNemar(a, b), 1e-12);
        Assert.Equal(p, Paired.McNemar(b, a), 1e-12);
    }

    [Fact]
    public void ManyItemsGiveSmallProbabilitiesNotNone()
    {
        double[] a = [.. Enumerable.Repeat(1.0, 1400), .. Enumerable.Repeat(0.0, 1600)], b = [.. a.Select(x => 1 - x)];
        // Normal approximation: 200 / sqrt(3000) is 3.63 standard errors with continuity.
        Assert.InRange(Paired.McNemar(a, b), 2.2e-4, 3.4e-4);
    }

    [Fact]
    public void RatiosAreOfSums()
    {
        Interval ratio = Paired.Ratio([8, 16, 24], [2, 4, 4]);
        Assert.Equal(4.8, ratio.Mean, 1e-12);
        Assert.Equal((4, 6), (ratio.Low, ratio.High));
        Assert.Throws<ArgumentException>(() => Paired.Difference([1], [1, 2], [0]));
        Assert.Throws<ArgumentException>(() => Paired.Difference([], [], []));
    }
}
