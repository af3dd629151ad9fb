using Skiff.Inference;

namespace Skiff.Evaluation;

/// <summary>A mean with its 95% interval.</summary>
public readonly record struct Interval(double Mean, double Low, double High);

/// <summary>Comparisons of items that both sides answered.</summary>
public static class Paired
{
    private const int Resamples = 2000;

    /// <summary>
    /// The mean of a - b with a percentile interval of a paired bootstrap (Efron and Tibshirani 1993, chapter 13). Items that share a cluster (a
    /// prompt's questions) are drawn together, as they are not independent.
    /// </summary>
    /// <param name="a">A score an item.</param>
    /// <param name="b">The other side's.</param>
    /// <param name="clusters">The cluster of each item, from 0.</param>
    /// <exception cref="ArgumentException">Lengths differ, or there is no item.</exception>
    public static Interval Difference(ReadOnlySpan<double> a, ReadOnlySpan<double> b, ReadOnlySpan<int> clusters)
    {
        if (a.Length != b.Length || a.Length != clusters.Length || a.Length == 0)
            throw new ArgumentException($"{a.Length}, {b.Length} and {clusters.Length} items", nameof(a));
        int count = 0;
        foreach (int cluster in clusters)
            count = Math.Max(count, cluster + 1);
        double[] sums = new double[count], items = new double[count];
        for (int i = 0; i < a.Length; i++)
        {
            sums[clusters[i]] += a[i] - b[i];
            items[clusters[i]]++;
        }

        return Ratio(sums, items);
    }

    /// <summary>The ratio of two sums with a percentile interval over the parts: bits over bytes of documents, say.</summary>
    public static Interval Ratio(ReadOnlySpan<double> over, ReadOnlySpan<double> under)
    {
        SplitMix64 random = new(1);
        double[] means = new double[Resamples];
        for (int r = 0; r < Resamples; r++)
        {
            double top = 0, bottom = 0;
            for (int i = 0; i < over.Length; i++)
            {
                int at = random.Below(over.Length);
                top += over[at];
                bottom += under[at];
            }

            means[r] = top / bottom;
        }

        Array.Sort(means);
        double all = 0, parts = 0;
        for (int i = 0; i < over.Length; i++)
            (all, parts) = (all + over[i], parts + under[i]);
        return new Interval(all / parts, means[(int)(0.025 * Resamples)], means[(int)(0.975 * Resamples) - 1]);
    }

    /// <summary>McNemar's exact test: how likely items on which the sides differ split so unevenly by chance, both ways.</summary>
    public static double McNemar(ReadOnlySpan<double> a, ReadOnlySpan<double> b)
    {
        int first = 0, second = 0;
        for (int i = 0; i < a.Length; i++)
        {
            first += a[i] > b[i] ? 1 : 0;
            second += a[i] < b[i] ? 1 : 0;
        }

        int n = first + second, fewer = Math.Min(first, second);
        // In logarithms: 2^-n is no number for large n.
        double log = -n * Math.Log(2), sum = 0;
        for (int k = 0; k <= fewer; k++)
        {
            sum += Math.Exp(log);
            log += Math.Log((double)(n - k) / (k + 1));
        }

        return Math.Min(1, 2 * sum);
    }
}
