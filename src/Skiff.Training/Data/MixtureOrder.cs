namespace Skiff.Training;

/// <summary>
/// Chooses the source of each row so that after any number of rows n a source of weight w has n·w rows but for less than
/// one: of the sources that may have another, the one that must have it soonest (Tijdeman 1980, "The chairman assignment
/// problem", Discrete Mathematics 32: the bound is 1 - 1/(2k-2) for k sources).
/// </summary>
internal sealed class MixtureOrder
{
    private readonly double[] _weights;
    private readonly double _slack;

    /// <summary>An order by weights that are not negative and not all 0.</summary>
    public MixtureOrder(IReadOnlyList<double> weights)
    {
        double sum = weights.Sum();
        _weights = [.. weights.Select(weight => weight / sum)];
        int sources = weights.Count(weight => weight > 0);
        _slack = sources < 2 ? 0 : 1.0 / ((2 * sources) - 2);
    }

    /// <summary>The source of the next row, of which <paramref name="rows"/> have gone to each so far.</summary>
    public int Next(ReadOnlySpan<long> rows)
    {
        long next = 1;
        foreach (long count in rows)
            next += count;
        int chosen = -1, neediest = 0;
        double soonest = double.PositiveInfinity, largest = double.NegativeInfinity;
        for (int i = 0; i < _weights.Length; i++)
        {
            if (_weights[i] == 0)
                continue;
            double need = (next * _weights[i]) - rows[i];
            if (need > largest)
                (neediest, largest) = (i, need);
            double deadline = (1 - _slack - need) / _weights[i];
            if (need >= _slack && deadline < soonest)
                (chosen, soonest) = (i, deadline);
        }

        // Rounding may leave none that may, but the neediest is one by less than that.
        return chosen < 0 ? neediest : chosen;
    }
}
