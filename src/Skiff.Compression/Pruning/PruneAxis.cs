using Skiff.Models;

namespace Skiff.Compression;

/// <summary>What pruning can take away, and what the rows or columns of a parameter therefore count.</summary>
internal enum PruneAxis
{
    /// <summary>Nothing that is pruned.</summary>
    None,

    /// <summary>Channels of the residual stream: one set for the whole model.</summary>
    Hidden,

    /// <summary>Query heads of a block.</summary>
    Head,

    /// <summary>Key and value heads of a block.</summary>
    KeyValueHead,

    /// <summary>Feed-forward neurons of a block, or of an expert.</summary>
    Neuron,

    /// <summary>Experts of a block.</summary>
    Expert,
}

/// <summary>The rows or columns of a parameter: so many in a row belong together.</summary>
/// <param name="Axis">What they count.</param>
/// <param name="Size">How many make one.</param>
internal readonly record struct AxisUse(PruneAxis Axis, int Size = 1);

/// <summary>Knows of every parameter of every family which axis its rows and columns lie on.</summary>
internal static class ParameterAxes
{
    /// <summary>The axes of a parameter; a vector has rows alone.</summary>
    public static (AxisUse Rows, AxisUse Columns) Of(ModelConfig config, Parameter parameter)
    {
        AxisUse hidden = new(PruneAxis.Hidden), none = default, neuron = new(PruneAxis.Neuron);
        AxisUse embedding = config.WordEmbedProjDim == config.HiddenSize ? hidden : none;
        (AxisUse rows, AxisUse columns) = parameter.Module switch
        {
            "embedding" or "head" => (none, embedding),
            "position_embedding" or "output_projection" => (none, hidden),
            "embedding_projection" => (hidden, none),
            "embedding_norm" or "attention_norm" or "post_attention_norm" or "feed_forward_norm" or "post_feed_forward_norm" or "final_norm" => (hidden, none),
            "query" => (new(PruneAxis.Head, config.HeadDim), hidden),
            "key" => (new(PruneAxis.KeyValueHead, config.HeadDim), hidden),
            "value" => (new(PruneAxis.KeyValueHead, config.ValueHeadDim), hidden),
            "output" => (hidden, new(PruneAxis.Head, config.ValueHeadDim)),
            "query_norm" when config.QkNorm == QueryKeyNorm.Whole => (new(PruneAxis.Head, config.HeadDim), none),
            "key_norm" when config.QkNorm == QueryKeyNorm.Whole => (new(PruneAxis.KeyValueHead, config.HeadDim), none),
            "query_b" => (new(PruneAxis.Head, config.HeadDim), none),
            "key_value_b" => (new(PruneAxis.Head, config.Latent!.QkNopeHeadDim + config.Latent.VHeadDim), none),
            "query_a" or "key_value_a" or "recurrent_x" or "recurrent_y" => (none, hidden),
            "recurrent_out" => (hidden, none),
            "router" => (new(PruneAxis.Expert), hidden),
            "gate" or "up" or "experts.gate" or "experts.up" => (neuron, hidden),
            "down" or "experts.down" => (hidden, neuron),
            _ => (none, none),
        };
        return parameter.Shape.Length == 1 ? (rows, none) : (rows, columns);
    }

    /// <summary>What the number in a parameter's name counts: an expert, or a head with a norm of its own.</summary>
    public static PruneAxis IndexOf(Parameter parameter) => parameter.Index < 0 ? PruneAxis.None : parameter.Module switch
    {
        "query_norm" => PruneAxis.Head,
        "key_norm" => PruneAxis.KeyValueHead,
        _ => PruneAxis.Expert,
    };
}
