using System.Numerics;

namespace Skiff.Inference;

/// <summary>
/// Finds the best of many without sorting them all: a vocabulary has up to 256,000 entries and a few dozen matter.
/// Higher values come first, of equal values the lower id, so every choice is unique.
/// </summary>
internal static class Ranking
{
    /// <summary>Moves the <paramref name="count"/> best ids to the front, in no order. Quickselect (Hoare 1961), linear on average.</summary>
    public static void Select(Span<int> ids, float[] values, int count)
    {
        Order order = new(values);
        // Input made to defeat the choice of pivots falls back on sorting.
        int rounds = 4 * (BitOperations.Log2((uint)ids.Length) + 1);
        while (count > 0 && count < ids.Length)
        {
            if (rounds-- == 0)
            {
                ids.Sort(order);
                return;
            }

            int border = Partition(ids, order);
            if (count <= border)
            {
                ids = ids[..border];
            }
            else
            {
                // The pivot lies at the border, in its final place.
                ids = ids[(border + 1)..];
                count -= border + 1;
            }
        }
    }

    /// <summary>
    /// Sorts as many ids to the front, best values first, as it takes for their weights to reach <paramref name="fraction"/> of the sum over
    /// all ids, and returns how many: at least one.
    /// </summary>
    public static int Nucleus(Span<int> ids, float[] values, float[] weights, double fraction)
    {
        double total = 0;
        foreach (int id in ids)
            total += weights[id];
        double wanted = fraction * total;
        double sum = 0;
        int chunk = 64;
        for (int start = 0; start < ids.Length; start += chunk, chunk *= 4)
        {
            chunk = Math.Min(chunk, ids.Length - start);
            Select(ids[start..], values, chunk);
            ids.Slice(start, chunk).Sort(new Order(values));
            for (int i = start; i < start + chunk; i++)
            {
                sum += weights[ids[i]];
                if (sum >= wanted)
                    return i + 1;
            }
        }

        return ids.Length;
    }

    // Returns where the pivot ends: better ids before it, worse ones after it.
    private static int Partition(Span<int> ids, Order order)
    {
        int last = ids.Length - 1;
        int middle = last / 2;
        // Median of first, middle and last goes to the end and serves as the pivot.
        if (order.Compare(ids[middle], ids[0]) < 0)
            (ids[middle], ids[0]) = (ids[0], ids[middle]);
        if (order.Compare(ids[last], ids[0]) < 0)
            (ids[last], ids[0]) = (ids[0], ids[last]);
        if (order.Compare(ids[middle], ids[last]) < 0)
            (ids[middle], ids[last]) = (ids[last], ids[middle]);
        int pivot = ids[last];
        int border = 0;
        for (int i = 0; i < last; i++)
        {
            if (order.Compare(ids[i], pivot) < 0)
            {
                (ids[i], ids[border]) = (ids[border], ids[i]);
                border++;
            }
        }

        (ids[border], ids[last]) = (ids[last], ids[border]);
        return border;
    }

    private readonly struct Order(float[] values) : IComparer<int>
    {
        public int Compare(int a, int b) => values[a] > values[b] ? -1 : values[a] < values[b] ? 1 : a.CompareTo(b);
    }
}
