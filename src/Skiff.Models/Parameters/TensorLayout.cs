namespace Skiff.Models;

/// <summary>The order of a part's rows in a file.</summary>
internal enum RowOrder
{
    /// <summary>As the decoder has them.</summary>
    Natural,

    /// <summary>Rotary pairs side by side within each head (llama2.c, and Llama in GGUF), not half a head apart.</summary>
    AdjacentPairs,
}

/// <summary>How several parameters share one stored tensor.</summary>
internal enum Fusion
{
    /// <summary>One after the other.</summary>
    Concatenated,

    /// <summary>Head by head: its query, key and value rows, then the next head's (GPT-NeoX, BLOOM).</summary>
    HeadByHead,
}

/// <summary>A parameter's place in a stored tensor.</summary>
internal readonly record struct StoredPart(Parameter Parameter, RowOrder Order = RowOrder.Natural);

/// <summary>A tensor as a file holds it, and what it holds.</summary>
internal sealed record StoredTensor(string Name, long[] Shape, params StoredPart[] Parts)
{
    public Fusion Fusion { get; init; }

    /// <summary>Stored as [in, out] (GPT-2's Conv1D).</summary>
    public bool Transposed { get; init; }

    /// <summary>Added to the decoder's numbers when stored (GGUF holds 1 + gain where the family adds 1).</summary>
    public float Shift { get; init; }

    /// <summary>Width of a head, for row orders that go by heads.</summary>
    public int HeadDim { get; init; }

    /// <summary>Which part and which of its rows the stored row <paramref name="row"/> is.</summary>
    public (int Part, long Row) Locate(long row)
    {
        int part = 0;
        if (Fusion == Fusion.HeadByHead)
        {
            long head = row / HeadDim;
            return ((int)(head % Parts.Length), head / Parts.Length * HeadDim + row % HeadDim);
        }

        while (row >= Parts[part].Parameter.Rows)
            row -= Parts[part++].Parameter.Rows;
        if (Parts[part].Order == RowOrder.AdjacentPairs)
        {
            long within = row % HeadDim;
            row = row - within + within % 2 * (HeadDim / 2) + within / 2;
        }

        return (part, row);
    }
}

/// <summary>All tensors of a model as one file format holds them.</summary>
internal sealed class TensorLayout(IReadOnlyList<StoredTensor> tensors)
{
    public IReadOnlyList<StoredTensor> Tensors => tensors;

    /// <summary>Where each parameter lies.</summary>
    public IReadOnlyDictionary<string, StoredTensor> ByParameter { get; } = Index(tensors);

    // A block that GGUF must hold twice is read from its first copy.
    private static Dictionary<string, StoredTensor> Index(IReadOnlyList<StoredTensor> tensors)
    {
        Dictionary<string, StoredTensor> index = [];
        foreach (StoredTensor tensor in tensors)
        {
            foreach (StoredPart part in tensor.Parts)
                index.TryAdd(part.Parameter.Name, tensor);
        }

        return index;
    }
}
