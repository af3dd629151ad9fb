namespace Skiff.Models;

/// <summary>A stable merge sort that asks only "is this less than that", as Python's does, and lets refusals through.</summary>
internal static class JinjaSort
{
    public static void Sort<T>(T[] items, Func<T, T, bool> less)
    {
        T[] from = items;
        T[] to = new T[items.Length];
        for (int width = 1; width < items.Length; width *= 2)
        {
            for (int start = 0; start < items.Length; start += 2 * width)
                Merge(from, to, start, Math.Min(start + width, items.Length), Math.Min(start + (2 * width), items.Length), less);
            (from, to) = (to, from);
        }

        if (!ReferenceEquals(from, items))
            from.CopyTo(items, 0);
    }

    private static void Merge<T>(T[] from, T[] to, int left, int middle, int end, Func<T, T, bool> less)
    {
        int right = middle;
        for (int at = left, start = left; at < end; at++)
        {
            bool takeRight = right < end && (start >= middle || less(from[right], from[start]));
            to[at] = takeRight ? from[right++] : from[start++];
        }
    }
}
