namespace Skiff.Tests.Tensors;

/// <summary>Random documents packed into the rows of a batch.</summary>
internal static class PackedDocuments
{
    /// <summary>[batch, time]: where in its row each token's document begins.</summary>
    public static int[] Starts(Random random, int batch, int time)
    {
        int[] starts = new int[batch * time];
        for (int n = 0; n < starts.Length; n++)
            starts[n] = n % time == 0 || random.Next(6) == 0 ? n % time : starts[n - 1];
        return starts;
    }
}
