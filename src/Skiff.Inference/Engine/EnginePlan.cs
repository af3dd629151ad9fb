using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Inference;

/// <summary>What an engine's blocks and sequences share: the model's rotations, and which cache a block has.</summary>
internal sealed class EnginePlan(ModelConfig config, InferenceEngineOptions options)
{
    /// <summary>Memory of all sequences.</summary>
    public CacheMemory Memory { get; } = new();

    /// <summary>The different rotations of the blocks.</summary>
    public RopeConfig[] Ropes { get; } = [.. config.Layers.Select(layer => layer.Rope).OfType<RopeConfig>().Distinct()];

    /// <summary>Positions that a block sees near a position, 0 for all, and first ones beside them: a model's own window has no sinks.</summary>
    public (int Window, int Sinks) WindowOf(LayerConfig layer) =>
        options.Window > 0 && (layer.SlidingWindow == 0 || options.Window < layer.SlidingWindow) ? (options.Window, options.Sinks) : (layer.SlidingWindow, 0);

    /// <summary>The cache of a block, or null for one that does not attend.</summary>
    public KvCache? CacheOf(LayerConfig layer, int rows)
    {
        if (layer.Kind == LayerKind.Recurrent)
            return null;
        KeyValueShape shape = new(config.Latent is null ? layer.KeyValueHeads : layer.Heads, config.HeadDim, config.ValueHeadDim);
        (int window, int sinks) = WindowOf(layer);
        // A window that holds the whole context hides nothing.
        return window > 0 && (long)window + sinks + rows < config.MaxPositionEmbeddings
            ? new WindowCache(Memory, shape, window, sinks, rows)
            : new FullCache(Memory, shape, config.MaxPositionEmbeddings);
    }
}
