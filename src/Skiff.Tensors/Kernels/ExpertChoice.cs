namespace Skiff.Tensors;

/// <summary>The integers of <see cref="ExpertRouting"/>: which experts a token takes, and the slots that the choices take.</summary>
internal static class ExpertChoice
{
    /// <summary>
    /// Indices of the largest shares in falling order; of equals the lower comes first, as in a stable sort. Where nothing can be
    /// compared, as with NaN, the first ones.
    /// </summary>
    public static void Largest(ReadOnlySpan<double> shares, Span<int> chosen)
    {
        for (int e = 0, held = 0; e < shares.Length; e++)
        {
            int place = held;
            while (place > 0 && shares[e] > shares[chosen[place - 1]])
                place--;
            if (place == chosen.Length)
                continue;
            held = Math.Min(held + 1, chosen.Length);
            chosen[place..(held - 1)].CopyTo(chosen[(place + 1)..]);
            chosen[place] = e;
        }
    }

    /// <summary>A counting sort of choices [N, k] by expert: rows [N k], places [N, k] and starts [E + 1] as the forward gives them.</summary>
    public static void Sort(ReadOnlySpan<int> experts, int chosen, Span<int> rows, Span<int> places, Span<int> starts)
    {
        // starts first counts, then leads each expert to its next free slot, and is moved back in the end.
        starts.Clear();
        foreach (int expert in experts)
            starts[expert + 1]++;
        for (int expert = 1; expert < starts.Length; expert++)
            starts[expert] += starts[expert - 1];
        for (int i = 0; i < experts.Length; i++)
        {
            int slot = starts[experts[i]]++;
            rows[slot] = i / chosen;
            places[i] = slot;
        }

        starts[..^1].CopyTo(starts[1..]);
        starts[0] = 0;
    }
}
