namespace Skiff.Tensors;

/// <summary>One product of a run of several: what its parts need to know.</summary>
internal unsafe struct PackedPlan
{
    /// <summary>[M, N].</summary>
    public MatrixView Y;

    /// <summary>The code path.</summary>
    public Isa Isa;

    /// <summary>The panels, one after the other.</summary>
    public byte* Weights;

    public long PanelBytes;

    /// <summary>How the panels are shared out.</summary>
    public PanelShares Shares;

    /// <summary>Computes the panels of a part.</summary>
    public delegate*<PackedPlan*, int, void> Part;

    /// <summary>Float types: the rows, and for many of them their copy in tiles.</summary>
    public MatrixView X;

    public float* Tiles;
    public TensorType Type;

    /// <summary>Quantized types: K / 32, and the rows' blocks.</summary>
    public int Blocks;

    public byte* Quantized;

    /// <summary>A panel times a tile of rows: codes, scales, blocks, x, rows, sums.</summary>
    public delegate*<byte*, byte*, int, byte*, int, float*, void> Kernel;

    /// <summary>Some panels times one row, or null: codes, bytes of a panel, panels, blocks, x, sums.</summary>
    public delegate*<byte*, long, int, int, byte*, float*, void> RowKernel;
}

/// <summary>Which panels a part covers. Parts that follow each other lie in different lanes, each a stretch of memory of its own.</summary>
internal readonly struct PanelShares(int panels, int parts, int lanes)
{
    public int Parts => parts;

    public (int First, int End) Range(int part)
    {
        long place = part % lanes * (parts / lanes) + part / lanes;
        return ((int)(place * panels / parts), (int)((place + 1) * panels / parts));
    }
}
