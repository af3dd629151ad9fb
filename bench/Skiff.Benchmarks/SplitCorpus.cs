using Skiff.Tensors;
using Skiff.Training;

namespace Skiff.Benchmarks;

/// <summary>The documents of text files as a training run splits them: what is held out is kept, the rest is only passed on.</summary>
internal sealed class SplitCorpus
{
    private readonly List<byte[]> _heldOut = [];

    /// <summary>Reads every document once.</summary>
    /// <param name="names">Files, folders and patterns.</param>
    /// <param name="share">The share held out, as in a recipe.</param>
    /// <param name="training">Gets the text of each document to train on, in order.</param>
    /// <exception cref="InvalidInputException">A file cannot be read, or one side of the split is empty.</exception>
    public SplitCorpus(IReadOnlyList<string> names, double share, Action<byte[]> training)
    {
        HeldOut part = new(DataSplit.HeldOut, share);
        DocumentGatherer gatherer = new(0, () => new DocumentBatch(), batch =>
        {
            int start = 0;
            foreach (int end in batch.TextEnds)
            {
                byte[] text = batch.Text[start..end];
                start = end;
                if (part.Holds(HeldOut.Hash(text)))
                {
                    _heldOut.Add(text);
                    continue;
                }

                TrainingDocuments++;
                TrainingBytes += text.Length;
                training(text);
            }
        });
        DocumentReader.Read(DocumentReader.Find(names, DocumentFormat.Text), DocumentFormat.Text, gatherer, CancellationToken.None);
        if (_heldOut.Count == 0 || TrainingDocuments == 0)
            throw new InvalidInputException(string.Join(' ', names), "--held-out", _heldOut.Count == 0 ? "holds no document out: raise it" : "leaves no document to train on: lower it");
    }

    /// <summary>The held-out documents' UTF-8 text, in the order of the files.</summary>
    public IReadOnlyList<byte[]> HeldOutTexts => _heldOut;

    /// <summary>Documents to train on.</summary>
    public long TrainingDocuments { get; private set; }

    /// <summary>UTF-8 bytes of their text.</summary>
    public long TrainingBytes { get; private set; }
}
