using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Inference;

/// <summary>What an engine's blocks and sequences share: the model's rotations, what blocks see, and how their caches are laid out.</summary>
internal sealed class EnginePlan
{
    private readonly ModelConfig _config;
    private readonly int[] _rules;

    /// <summary>Works it out.</summary>
    /// <param name="config">What is computed.</param>
    /// <param name="options">What caches keep.</param>
    /// <param name="cacheType">How keys and values are stored.</param>
    /// <exception cref="InvalidInputException">A cache that the model or the options do not allow.</exception>
    public EnginePlan(ModelConfig config, InferenceEngineOptions options, TensorType cacheType)
    {
        (_config, CacheType) = (config, cacheType);
        MaxPositions = options.Context > 0 ? options.Context : config.MaxPositionEmbeddings;
        if (MaxPositions > config.MaxPositionEmbeddings && config.Position == PositionKind.Learned)
            throw new InvalidInputException("engine", "context", $"{MaxPositions} positions, where the model has a table of {config.MaxPositionEmbeddings}");
        (VisibilityRule rule, Anchors) = options.Rule(config);
        VisibilityRule[] rules = [.. config.Layers.Select(layer => RuleOf(layer, rule))];
        Rules = [.. rules.Distinct()];
        _rules = [.. rules.Select(own => Array.IndexOf(Rules, own))];
        Ropes = [.. config.Layers.Select(layer => layer.Rope).OfType<RopeConfig>().Distinct()];
        StateValues = config.Recurrent is { } recurrent ? (long)recurrent.Conv1dWidth * recurrent.LruWidth : 0;
    }

    /// <summary>How keys and values are stored.</summary>
    public TensorType CacheType { get; }

    /// <summary>Positions a sequence may have.</summary>
    public int MaxPositions { get; }

    /// <summary>Memory of all sequences.</summary>
    public CacheMemory Memory { get; } = new();

    /// <summary>The different rules of the blocks.</summary>
    public VisibilityRule[] Rules { get; }

    /// <summary>What closes segments, for rules with anchors.</summary>
    public AnchorConfig? Anchors { get; }

    /// <summary>Whether scores need the positions of what is kept.</summary>
    public bool HasBiases => _config.Position == PositionKind.Alibi;

    /// <summary>Values that a recurrent block keeps for a sequence: the taps of its convolution, and h.</summary>
    public long StateValues { get; }

    /// <summary>Bytes that all recurrent blocks keep for a sequence.</summary>
    public long StateBytes => StateValues * _config.Layers.Count(layer => layer.Kind == LayerKind.Recurrent) * sizeof(float);

    /// <summary>The different rotations of the blocks.</summary>
    public RopeConfig[] Ropes { get; }

    /// <summary>The rule of a block.</summary>
    public int RuleOf(int block) => _rules[block];

    /// <summary>The sizes of a block's cache; latent attention keeps its keys and values expanded.</summary>
    public KeyValueShape ShapeOf(LayerConfig layer) => new(_config.Latent is null ? layer.KeyValueHeads : layer.Heads, _config.HeadDim, _config.ValueHeadDim, CacheType);

    /// <summary>The cache of a block, or null for one that does not attend.</summary>
    public KvCache? CacheOf(LayerConfig layer) => layer.Kind == LayerKind.Recurrent ? null : new KvCache(Memory, ShapeOf(layer));

    /// <summary>Bytes that a position adds to caches that keep all of them.</summary>
    public long PositionBytes => _config.Layers.Where(layer => layer.Kind == LayerKind.Attention).Sum(layer => ShapeOf(layer).PositionBytes);

    /// <summary>Bytes that a sequence of so many positions holds at most.</summary>
    public long SequenceBytes(int positions, int rows)
    {
        long bytes = StateBytes;
        for (int block = 0; block < _rules.Length; block++)
        {
            LayerConfig layer = _config.Layers[block];
            if (layer.Kind == LayerKind.Attention)
                bytes += PagesOf(Rules[_rules[block]], positions, rows) * CacheMemory.BytesOf(ShapeOf(layer));
        }

        return bytes;
    }

    // A model's own window has no sinks, and stays where another rule would show more.
    private VisibilityRule RuleOf(LayerConfig layer, VisibilityRule rule)
    {
        VisibilityRule own = layer.SlidingWindow == 0 || (rule.Window > 0 && rule.Window < layer.SlidingWindow) ? rule : VisibilityRule.Causal with { Window = layer.SlidingWindow };
        // A window that holds the whole context hides nothing.
        return own.Window >= MaxPositions && !own.Segments ? VisibilityRule.Causal : own;
    }

    private static int PagesOf(VisibilityRule rule, int positions, int rows)
    {
        int all = KeyValueTiles.TilesOf(positions);
        if (!rule.Hides)
            return all;
        int near = (int)Math.Min(all, ((rule.Segments ? positions : (long)rule.Window) + rows - 1 + KeyValueTiles.Length - 2) / KeyValueTiles.Length + 1);
        if (rule.SegmentsPerGroup > 0)
        {
            // At worst each position is a segment; each group that a pass closes lists those before again.
            long groups = rule.Sinks + ((long)positions / rule.SegmentsPerGroup * rule.AnchorsPerSegment), entries = positions + (((rows / rule.SegmentsPerGroup) + 1) * groups);
            return (int)Math.Min(int.MaxValue, near + (entries / KeyValueTiles.Length) + 2);
        }

        int far = Math.Min(all, KeyValueTiles.TilesOf(rule.HasAnchors && rule.LastAnchors == 0 ? positions : rule.Sinks + rule.LastAnchors) + 1);
        // What is far is no longer near, but for the pages that both begin and what the last pass brought.
        return rule.HasAnchors ? Math.Min(near + far, all + 2 + KeyValueTiles.TilesOf(rows)) : near + far;
    }
}
