// B rows of a batch, T positions in each
namespace Skiff.Tensors;

/// <summary>Where the document of each token begins within its row of the batch, for kernels that mix positions.</summary>
internal static class DocumentStarts
{
    /// <summary>A token either begins a document or goes on with that of the token before it; every row begins one.</summary>
    /// <exception cref="ArgumentException">No whole rows, or another number of tokens.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A start that cannot be.</exception>
    public static void Check(ReadOnlySpan<int> documentStarts, int tokens, int time)
    {
        if (documentStarts.Length != tokens || time < 1 || tokens % time != 0)
            throw new ArgumentException($"{documentStarts.Length} document starts for {tokens} tokens in rows of {time}", nameof(documentStarts));
        for (int n = 0; n < tokens; n++)
        {
            int t = n % time, start = documentStarts[n];
            if (start != t && (t == 0 || start != documentStarts[n - 1]))
                throw new ArgumentOutOfRangeException(nameof(documentStarts), $"token {t} of row {n / time}: its document cannot begin at {start}");
        }
    }
}
