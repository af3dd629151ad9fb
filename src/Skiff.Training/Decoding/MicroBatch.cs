namespace Skiff.Training;

/// <summary>How many rows of a batch go through the decoder at a time.</summary>
internal static class MicroBatch
{
    // Enough tokens that products pay for their packing, few enough that a block's activations stay near the processor.
    private const int Tokens = 2048;

    /// <summary>The divisor of the batch that comes nearest to the tokens that suit.</summary>
    /// <param name="batch">Rows of a step.</param>
    /// <param name="time">Tokens of a row.</param>
    public static int Rows(int batch, int time)
    {
        int best = 1;
        for (int rows = 1; rows <= batch; rows++)
        {
            if (batch % rows == 0 && (long)rows * time <= Math.Max(Tokens, time))
                best = rows;
        }

        return best;
    }
}
