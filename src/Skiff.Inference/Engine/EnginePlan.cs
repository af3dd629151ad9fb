using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Inference;

/// <summary>What an engine's blocks and sequences share: the model's rotations, and which cache a block has.</summary>
/// <param name="config">What is computed.</param>
/// <param name="options">Windows.</param>
/// <param name="cacheType">How keys and values are stored.</param>
internal sealed class EnginePlan(ModelConfig config, InferenceEngineOptions options, TensorType cacheType)
{
    /// <summary>How keys and values are stored.</summary>
    public TensorType CacheType => cacheType;

    /// <summary>Memory of all sequences.</summary>
    public CacheMemory Memory { get; } = new();

    /// <summary>Values that a recurrent block keeps for a sequence: the taps of its convolution, and h.</summary>
    public long StateValues { get; } = config.Recurrent is { } recurrent ? (long)recurrent.Conv1dWidth * recurrent.LruWidth : 0;

    /// <summary>Bytes that all recurrent blocks keep for a sequence.</summary>
    public long StateBytes => StateValues * config.Layers.Count(layer => layer.Kind == LayerKind.Recurrent) * sizeof(float);

    /// <summary>The different rotations of the blocks.</summary>
    public RopeConfig[] Ropes { get; } = [.. config.Layers.Select(layer => layer.Rope).OfType<RopeConfig>().Distinct()];

    /// <summary>Positions that a block sees near a position, 0 for all, and first ones beside them: a model's own window has no sinks.</summary>
    public (int Window, int Sinks) WindowOf(LayerConfig layer) =>
        options.Window > 0 && (layer.SlidingWindow == 0 || options.Window < layer.SlidingWindow) ? (options.Window, options.Sinks) : (layer.SlidingWindow, 0);

    /// <summary>The sizes of a block's cache; latent attention keeps its keys and values expanded.</summary>
    public KeyValueShape ShapeOf(LayerConfig layer) => new(config.Latent is null ? layer.KeyValueHeads : layer.Heads, config.HeadDim, config.ValueHeadDim, cacheType);

    /// <summary>The cache of a block, or null for one that does not attend.</summary>
    public KvCache? CacheOf(LayerConfig layer, int rows)
    {
        if (layer.Kind == LayerKind.Recurrent)
            return null;
        KeyValueShape shape = ShapeOf(layer);
        (int window, int sinks) = WindowOf(layer);
        // A window that holds the whole context hides nothing.
        return window > 0 && (long)window + sinks + rows < config.MaxPositionEmbeddings
            ? new WindowCache(Memory, shape, window, sinks, rows)
            : new FullCache(Memory, shape, config.MaxPositionEmbeddings);
    }

    /// <summary>Bytes that a position adds to caches that keep all of them.</summary>
    public long PositionBytes => config.Layers.Where(layer => layer.Kind == LayerKind.Attention).Sum(layer => ShapeOf(layer).PositionBytes);

    /// <summary>Bytes that a sequence of so many positions holds where their room is taken at once.</summary>
    public long SequenceBytes(int positions, int rows) => config.Layers.Sum(layer => CacheOf(layer, rows)?.BytesFor(positions) ?? 0) + StateBytes;
}
