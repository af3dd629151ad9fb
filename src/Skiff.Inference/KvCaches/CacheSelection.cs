// T positions of a prefix, B of them stay
namespace Skiff.Inference;

/// <summary>
/// Chooses which positions of a prefix that was computed under full attention stay in a cache. Every policy keeps a first stretch, a last
/// one, and between them the positions of the highest scores, of equal ones the lower position.
/// </summary>
public static class CacheSelection
{
    /// <summary>The positions of a key-value head that stay: exactly min(B, T), distinct and rising.</summary>
    /// <param name="policy">By what they are chosen.</param>
    /// <param name="budget">B, at least 1. The last position always stays.</param>
    /// <param name="scores">What the policy needs to know.</param>
    /// <param name="options">The policies' numbers; their defaults when null.</param>
    /// <exception cref="ArgumentOutOfRangeException">A budget below 1, a negative number of positions or an unknown policy.</exception>
    /// <exception cref="ArgumentException">The scores that the policy needs are not T.</exception>
    /// <exception cref="Tensors.InvalidInputException">An option out of its range.</exception>
    public static int[] Choose(SelectionPolicy policy, int budget, in SelectionScores scores, CacheSelectionOptions? options = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(budget, 1);
        ArgumentOutOfRangeException.ThrowIfNegative(scores.Positions);
        options ??= new CacheSelectionOptions();
        options.Validate(nameof(options));
        int half = budget - budget / 2;
        (int sinks, int recent, double[] values) = policy switch
        {
            SelectionPolicy.Streaming => (options.Sinks, budget - Math.Min(options.Sinks, budget - 1), []),
            SelectionPolicy.Separators => (options.Sinks, ShareOf(budget, options.SeparatorsRecentShare), Newest(Checked(scores.Separators, scores))),
            SelectionPolicy.HeavyHitters => (0, ShareOf(budget, options.HeavyHittersRecentShare), Widened(Checked(scores.Mass, scores), 1)),
            SelectionPolicy.SnapKv => SnapKv(budget > options.ObservationWindow ? options.ObservationWindow : half, scores, options.PoolingWidth),
            SelectionPolicy.KeyNorm => (0, Math.Clamp(options.KeyNormRecent, 1, half), Widened(Checked(scores.KeyNorms, scores), -1)),
            _ => throw new ArgumentOutOfRangeException(nameof(policy), policy, "unknown"),
        };
        return budget >= scores.Positions ? [.. Enumerable.Range(0, scores.Positions)] : Keep(scores.Positions, budget, sinks, recent, values);
    }

    /// <summary>The first row whose attention a policy counts; T where it counts none. Rows before it need no attention computed.</summary>
    /// <param name="policy">The policy.</param>
    /// <param name="positions">T.</param>
    /// <param name="options">The policies' numbers; their defaults when null.</param>
    public static int FirstCounted(SelectionPolicy policy, int positions, CacheSelectionOptions? options = null) => policy switch
    {
        SelectionPolicy.HeavyHitters => 0,
        SelectionPolicy.SnapKv => Math.Max(0, positions - (options ?? new CacheSelectionOptions()).ObservationWindow),
        _ => positions,
    };

    // For 1 <= recent <= B < T: the last ones first of all, then as many sinks as fit, then the highest values between.
    private static int[] Keep(int positions, int budget, int sinks, int recent, double[] values)
    {
        sinks = Math.Min(sinks, budget - recent);
        int[] between = [.. Enumerable.Range(sinks, positions - recent - sinks)];
        // A NaN is below every number.
        if (budget > sinks + recent)
            Array.Sort(between, (a, b) => values[b].CompareTo(values[a]) is var order and not 0 ? order : a.CompareTo(b));
        int[] kept = [.. Enumerable.Range(0, sinks), .. between.AsSpan(0, budget - sinks - recent), .. Enumerable.Range(positions - recent, recent)];
        Array.Sort(kept);
        return kept;
    }

    // Separators before all others, and among both the newer first: where separators do not fill the budget, recent positions do.
    private static double[] Newest(ReadOnlySpan<bool> separators)
    {
        double[] values = new double[separators.Length];
        for (int i = 0; i < values.Length; i++)
            values[i] = separators[i] ? (double)values.Length + i : i;
        return values;
    }

    // Pooling ends where the recent positions begin (arXiv 2404.14469, listing 1): their attention to each other raises no neighbour.
    private static (int Sinks, int Recent, double[] Values) SnapKv(int recent, in SelectionScores scores, int width)
    {
        ReadOnlySpan<float> mass = Checked(scores.Mass, scores);
        double[] values = new double[mass.Length];
        int end = Math.Max(0, mass.Length - recent), reach = width / 2;
        for (int i = 0; i < end; i++)
        {
            values[i] = double.NaN;
            for (int j = Math.Max(0, i - reach); j < Math.Min(end, (long)i + reach + 1); j++)
                values[i] = double.MaxNumber(values[i], mass[j]);
        }

        return (0, recent, values);
    }

    private static double[] Widened(ReadOnlySpan<float> values, double factor)
    {
        double[] wide = new double[values.Length];
        for (int i = 0; i < wide.Length; i++)
            wide[i] = values[i] * factor;
        return wide;
    }

    private static int ShareOf(int budget, double share) => Math.Clamp((int)Math.Ceiling(budget * share), 1, budget);

    private static ReadOnlySpan<T> Checked<T>(ReadOnlySpan<T> values, in SelectionScores scores) =>
        values.Length == scores.Positions ? values : throw new ArgumentException($"{values.Length} scores for {scores.Positions} positions", nameof(scores));
}
