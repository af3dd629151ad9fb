namespace Skiff.Tensors;

/// <summary>
/// Where each buffer of a tape lies. The order of all passes is fixed, so it is known from when to when a buffer is needed; those
/// that are never needed at the same time share a place. Largest first, each at the lowest place that is free.
/// </summary>
internal sealed class TapePlan
{
    // Whole cache lines.
    private const long Unit = 16;

    private readonly Dictionary<TapeBuffer, List<(int From, int To)>> _lives = [];
    private readonly Dictionary<TapeBuffer, long> _places = [];

    /// <summary>Values that all buffers take together.</summary>
    public long Count { get; private set; }

    /// <summary>Buffers and where they begin.</summary>
    public IReadOnlyDictionary<TapeBuffer, long> Places => _places;

    /// <summary>Says what is touched at a moment; moments do not go back.</summary>
    public void Touch(int moment, IReadOnlyList<(TapeBuffer Buffer, bool Writes)> uses)
    {
        foreach ((TapeBuffer buffer, bool writes) in uses)
        {
            if (!_lives.TryGetValue(buffer, out List<(int From, int To)>? lives))
                _lives[buffer] = lives = [];
            // What is written anew was not needed in between.
            if (lives.Count == 0 || (writes && lives[^1].To < moment))
                lives.Add((moment, moment));
            else
                lives[^1] = (lives[^1].From, moment);
        }
    }

    /// <summary>Gives every buffer its place.</summary>
    public void Place()
    {
        List<TapeBuffer> placed = [];
        foreach (TapeBuffer buffer in _lives.Keys.OrderByDescending(b => b.Count))
        {
            long place = 0, size = Up(buffer.Count);
            foreach (TapeBuffer other in placed.Where(other => Meet(_lives[buffer], _lives[other])).OrderBy(other => _places[other]))
            {
                if (_places[other] - place >= size)
                    break;
                place = Math.Max(place, _places[other] + Up(other.Count));
            }

            _places[buffer] = place;
            placed.Add(buffer);
            Count = Math.Max(Count, place + size);
        }
    }

    private static bool Meet(List<(int From, int To)> a, List<(int From, int To)> b)
    {
        for (int i = 0, j = 0; i < a.Count && j < b.Count;)
        {
            if (a[i].From <= b[j].To && b[j].From <= a[i].To)
                return true;
            if (a[i].To < b[j].To)
                i++;
            else
                j++;
        }

        return false;
    }

    private static long Up(long count) => (count + Unit - 1) / Unit * Unit;
}
