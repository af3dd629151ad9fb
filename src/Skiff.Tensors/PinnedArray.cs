namespace Skiff.Tensors;

/// <summary>Lists of numbers that kernels read by address.</summary>
internal static class PinnedArray
{
    /// <summary>An array of at least so many numbers that begins with another's; twice as many, so that it seldom grows.</summary>
    public static int[] Grown(int[] numbers, int count)
    {
        int[] grown = GC.AllocateArray<int>(2 * count, pinned: true);
        numbers.CopyTo(grown, 0);
        return grown;
    }
}
