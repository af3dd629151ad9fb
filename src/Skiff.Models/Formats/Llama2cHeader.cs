namespace Skiff.Models;

/// <summary>The hyper-parameters of a llama2.c checkpoint.</summary>
/// <param name="Dim">Model width D.</param>
/// <param name="HiddenDim">Feed-forward width F.</param>
/// <param name="Layers">Number of layers.</param>
/// <param name="Heads">Query heads; divides <paramref name="Dim"/>.</param>
/// <param name="KvHeads">Key-value heads; divides <paramref name="Heads"/>.</param>
/// <param name="VocabSize">Number of tokens.</param>
/// <param name="SequenceLength">Longest sequence.</param>
/// <param name="SharedClassifier">True if the output head is the embedding.</param>
public sealed record Llama2cHeader(int Dim, int HiddenDim, int Layers, int Heads, int KvHeads, int VocabSize, int SequenceLength, bool SharedClassifier)
{
    /// <summary>Size of one head.</summary>
    public int HeadDim => Dim / Heads;

    /// <summary>Width of the keys and of the values of one position.</summary>
    public int KvDim => HeadDim * KvHeads;
}
