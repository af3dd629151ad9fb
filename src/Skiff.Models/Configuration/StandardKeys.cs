using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>What a family assumes where its <c>config.json</c> is silent.</summary>
internal sealed record FamilyDefaults
{
    public string NormKey { get; init; } = "rms_norm_eps";

    public bool Rms { get; init; } = true;

    public double Epsilon { get; init; } = 1e-6;

    public bool Tied { get; init; }

    public string Activation { get; init; } = "silu";

    public string ActivationKey { get; init; } = "hidden_act";

    public int MaxPositions { get; init; } = 2048;

    public double RotaryShare { get; init; } = 1;

    public double Theta { get; init; } = 10000;

    /// <summary>The feed-forward is this many times as wide as the model where the file is silent; 0: the key is required.</summary>
    public int FeedForwardFactor { get; init; }

    /// <summary>Width of a head where the file is silent; 0: hidden_size over heads.</summary>
    public int HeadDim { get; init; }

    /// <summary>Width of a head's rotated part whatever the file states of heads; 0: the head is what is rotated.</summary>
    public int FixedHeadDim { get; init; }

    /// <summary>Key and value heads where the file is silent; 0: as many as query heads. Null in the file always means the latter.</summary>
    public int KeyValueHeads { get; init; }

    /// <summary><c>rope_parameters</c> may hold one set for <c>full_attention</c> and one for <c>sliding_attention</c>.</summary>
    public bool RopeByLayerType { get; init; }

    public PositionKind Position { get; init; } = PositionKind.Rotary;
}

/// <summary>The keys nearly all families share, read once for all.</summary>
internal static class StandardKeys
{
    /// <summary>More blocks than any decoder has: a bound before memory is taken.</summary>
    public const int MostLayers = 1024;

    public const int MostExperts = 512;

    public static ModelConfig Read(ConfigReader r, FamilyDefaults defaults)
    {
        int hidden = r.Size("hidden_size"), heads = r.Size("num_attention_heads");
        int headDim = defaults.FixedHeadDim > 0 ? defaults.FixedHeadDim
            : r.SizeOrNone("head_dim") is > 0 and var stated ? stated
            : defaults.HeadDim > 0 ? defaults.HeadDim
            : hidden % heads == 0 ? hidden / heads
            : throw r.Refuse("num_attention_heads", $"{heads} does not divide hidden_size {hidden}; give head_dim");
        int feedForward = defaults.FeedForwardFactor > 0 && !r.Has("intermediate_size")
            ? checked(defaults.FeedForwardFactor * hidden)
            : r.Size("intermediate_size");
        int maxPositions = r.Size("max_position_embeddings", defaults.MaxPositions);
        RopeConfig? rope = defaults.Position == PositionKind.Rotary ? RopeKeys.Read(r, headDim, maxPositions, defaults) : null;
        LayerConfig layer = new()
        {
            Weights = 0,
            Heads = heads,
            KeyValueHeads = KeyValueHeads(r, heads, defaults),
            IntermediateSize = feedForward,
            Rope = rope,
        };
        return new ModelConfig
        {
            ModelType = r.Family!.ModelType,
            Source = r.Json,
            VocabSize = r.Size("vocab_size"),
            HiddenSize = hidden,
            WordEmbedProjDim = hidden,
            MaxPositionEmbeddings = maxPositions,
            Layers = Repeat(layer, LayerCount(r)),
            TieWordEmbeddings = r.Bool("tie_word_embeddings", defaults.Tied),
            Norm = new NormConfig { Rms = defaults.Rms, Bias = !defaults.Rms, Epsilon = r.Positive(defaults.NormKey, defaults.Epsilon) },
            Position = defaults.Position,
            HeadDim = headDim,
            ValueHeadDim = headDim,
            AttentionScale = 1 / Math.Sqrt(headDim),
            HiddenAct = ActivationNamed(r, defaults.ActivationKey, defaults.Activation),
        };
    }

    private static int KeyValueHeads(ConfigReader r, int heads, FamilyDefaults defaults)
    {
        if (defaults.KeyValueHeads == 0 || r.States("num_key_value_heads"))
            return r.Size("num_key_value_heads", heads);
        return heads % defaults.KeyValueHeads == 0
            ? defaults.KeyValueHeads
            : throw r.Refuse("num_key_value_heads", $"is missing, and the family's default {defaults.KeyValueHeads} does not divide num_attention_heads {heads}");
    }

    public static int LayerCount(ConfigReader r)
    {
        int count = r.Size("num_hidden_layers");
        return count <= MostLayers ? count : throw r.Refuse("num_hidden_layers", $"{count} is above {MostLayers}");
    }

    public static IReadOnlyList<LayerConfig> Repeat(LayerConfig layer, int count) => [.. Enumerable.Range(0, count).Select(l => layer with { Weights = l })];

    /// <summary>Gives some blocks a sliding window: those of which <paramref name="slides"/> is true.</summary>
    public static ModelConfig WithWindow(this ModelConfig config, int window, Func<int, bool> slides) => config with
    {
        Layers = [.. config.Layers.Select((layer, i) => slides(i) ? layer with { SlidingWindow = window } : layer)],
    };

    /// <summary>Which blocks slide by the newer <c>layer_types</c>; null where the file does not list them.</summary>
    public static Func<int, bool>? SlidingLayers(ConfigReader r, int count)
    {
        if (r.Strings("layer_types") is not { } types)
            return null;
        if (types.Count != count)
            throw r.Refuse("layer_types", $"{types.Count} types for {count} layers");
        if (types.FirstOrDefault(t => t is not ("full_attention" or "sliding_attention")) is { } other)
            throw r.Refuse("layer_types", $"'{other}' is not known; full_attention and sliding_attention are");
        return l => types[l] == "sliding_attention";
    }

    public static Activation ActivationNamed(ConfigReader r, string key, string absent) => r.String(key, absent) switch
    {
        "silu" or "swish" => Activation.Silu,
        "gelu" => Activation.Gelu,
        "gelu_new" or "gelu_pytorch_tanh" or "gelu_fast" or "gelu_tanh" => Activation.GeluTanh,
        "relu" => Activation.Relu,
        "relu2" or "squared_relu" => Activation.Relu2,
        "quick_gelu" => Activation.QuickGelu,
        var other => throw r.Refuse(key, $"'{other}' is not known; silu, gelu, gelu_new, gelu_pytorch_tanh, relu, relu2 and quick_gelu are"),
    };
}
