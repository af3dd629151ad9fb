using CsCheck;
using Skiff.Training;

namespace Skiff.Tests.Training;

public sealed class OrderTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(5)]
    [InlineData(1000)]
    [InlineData(4097)]
    public void APermutationHoldsEveryNumberOnce(int count)
    {
        for (ulong key = 0; key < 20; key++)
        {
            Permutation order = new(count, key);
            Assert.Equal(Enumerable.Range(0, count).Select(i => (long)i), Enumerable.Range(0, count).Select(i => order[i]).Order());
        }
    }

    [Fact]
    public void APermutationLooksRandomAndHangsOnItsKey()
    {
        const int Count = 10_000;
        Permutation first = new(Count, 1), second = new(Count, 2);
        long[] places = [.. Enumerable.Range(0, Count).Select(i => first[i])];
        Assert.InRange(Enumerable.Range(0, Count).Count(i => first[i] == second[i]), 0, 10);
        // Of a random order a thousandth's neighbours stay neighbours, and half of all steps go up.
        Assert.InRange(Enumerable.Range(1, Count - 1).Count(i => Math.Abs(places[i] - places[i - 1]) <= 5), 0, 30);
        Assert.InRange(Enumerable.Range(1, Count - 1).Count(i => places[i] > places[i - 1]), 4800, 5200);
        double correlation = Enumerable.Range(0, Count).Sum(i => (i - 4999.5) * (places[i] - 4999.5)) / Enumerable.Range(0, Count).Sum(i => (i - 4999.5) * (i - 4999.5));
        Assert.InRange(correlation, -0.05, 0.05);
    }

    [Fact]
    public void HugeOrdersTakeNoMemory()
    {
        Permutation order = new(3_000_000_000_000, 5);
        HashSet<long> seen = [];
        for (int i = 0; i < 10_000; i++)
        {
            long value = order[2_999_999_999_999 - i];
            Assert.InRange(value, 0, 2_999_999_999_999);
            Assert.True(seen.Add(value));
        }
    }

    // Tijdeman's bound: less than one row, after any number of rows.
    [Fact]
    public void AMixtureNeverDriftsByARow()
    {
        Gen.Select(Gen.Double[0.001, 1].Array[1, 12], Gen.Int[1, 3000]).Sample((weights, rows) =>
        {
            double sum = weights.Sum(), bound = weights.Length == 1 ? 1e-9 : 1 - (1.0 / ((2 * weights.Length) - 2)) + 1e-6;
            MixtureOrder order = new(weights);
            long[] counts = new long[weights.Length];
            for (int n = 1; n <= rows; n++)
            {
                counts[order.Next(counts)]++;
                for (int i = 0; i < weights.Length; i++)
                {
                    if (Math.Abs(counts[i] - (n * weights[i] / sum)) > bound)
                        return false;
                }
            }

            return true;
        }, iter: 300, seed: "0000000000001");
    }

    [Fact]
    public void ASourceWithoutWeightIsNeverTaken()
    {
        MixtureOrder order = new([0, 3, 0, 1]);
        long[] counts = new long[4];
        for (int n = 0; n < 4000; n++)
            counts[order.Next(counts)]++;
        Assert.Equal([0, 3000, 0, 1000], counts);
    }
}
