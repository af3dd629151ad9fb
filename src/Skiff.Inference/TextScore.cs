namespace Skiff.Inference;

/// <summary>How probable a model finds a text.</summary>
/// <param name="Ids">Its tokens, the beginning token included where the model uses one.</param>
/// <param name="LogProbabilities">Natural log of each token's probability given those before it. The first has none before it: null.</param>
/// <param name="Bytes">UTF-8 bytes of the text.</param>
public sealed record TextScore(int[] Ids, double?[] LogProbabilities, int Bytes)
{
    /// <summary>The sum over all tokens but the first.</summary>
    public double Sum => LogProbabilities.Sum(p => p ?? 0);

    /// <summary>-Sum / ln 2 / Bytes, which compares models with different tokenizers; NaN for a text of no bytes.</summary>
    public double BitsPerByte => Bytes == 0 ? double.NaN : -Sum / Math.Log(2) / Bytes;
}
