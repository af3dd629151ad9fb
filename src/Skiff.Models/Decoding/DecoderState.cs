namespace Skiff.Models;

/// <summary>What a sequence has left behind in a decoder: keys and values of every position, and recurrent states.</summary>
public sealed class DecoderState
{
    private readonly Dictionary<RopeConfig, (double[] Frequencies, double Scale)> _rotations = [];
    private readonly int _plannedLength;
    private readonly AnchorMask? _mask;

    internal DecoderState(ModelConfig config, int plannedLength)
    {
        _plannedLength = plannedLength;
        _mask = config.Anchors is { } anchors ? new AnchorMask(anchors) : null;
        Layers = [.. config.Layers.Select(layer => layer.Kind == LayerKind.Recurrent
            ? new LayerState(0, 0, config.Recurrent!)
            : new LayerState((config.Latent is null ? layer.KeyValueHeads : layer.Heads) * config.HeadDim,
                (config.Latent is null ? layer.KeyValueHeads : layer.Heads) * config.ValueHeadDim, null))];
    }

    /// <summary>Number of positions processed.</summary>
    public int Position { get; internal set; }

    internal IReadOnlyList<LayerState> Layers { get; }

    /// <summary>Takes tokens before they are processed: a model with anchors looks at them.</summary>
    internal void Append(ReadOnlySpan<int> tokens)
    {
        for (int i = 0; i < tokens.Length && _mask is not null; i++)
            _mask.Append(tokens[i]);
    }

    /// <summary>Whether a position sees an earlier one.</summary>
    internal bool Sees(int i, int j) => _mask?.Sees(i, j) ?? true;

    // Some scalings look at the length of the whole sequence, which must not change under keys already turned.
    internal (double[] Frequencies, double Scale) Rotation(RopeConfig rope)
    {
        if (!_rotations.TryGetValue(rope, out (double[] Frequencies, double Scale) rotation))
            _rotations[rope] = rotation = rope.Frequencies(_plannedLength);
        return rotation;
    }
}

/// <summary>One block's share of a <see cref="DecoderState"/>.</summary>
internal sealed class LayerState(int keyWidth, int valueWidth, RecurrentConfig? recurrent)
{
    private float[] _keys = [];
    private float[] _values = [];

    /// <summary>[positions, key-value heads, head].</summary>
    public ReadOnlySpan<float> Keys => _keys;

    /// <summary>[positions, key-value heads, value head].</summary>
    public ReadOnlySpan<float> Values => _values;

    /// <summary>Griffin's hidden state h, [W].</summary>
    public double[] Hidden { get; } = new double[recurrent?.LruWidth ?? 0];

    /// <summary>The last inputs of the convolution, oldest first, [taps - 1, W].</summary>
    public float[] Taps { get; } = new float[recurrent is null ? 0 : (recurrent.Conv1dWidth - 1) * recurrent.LruWidth];

    public void Append(int position, ReadOnlySpan<float> keys, ReadOnlySpan<float> values)
    {
        Grow(ref _keys, (long)position * keyWidth + keys.Length);
        Grow(ref _values, (long)position * valueWidth + values.Length);
        keys.CopyTo(_keys.AsSpan(position * keyWidth));
        values.CopyTo(_values.AsSpan(position * valueWidth));
    }

    private static void Grow(ref float[] array, long needed)
    {
        if (needed > array.Length)
            Array.Resize(ref array, checked((int)Math.Max(needed, Math.Min(2L * array.Length, Array.MaxLength))));
    }
}
