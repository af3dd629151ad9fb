using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Inference;

/// <summary>What a model must read and compute at least for a token.</summary>
internal sealed class ModelWork
{
    private readonly ModelConfig _config;

    public ModelWork(Model model)
    {
        ModelConfig config = _config = model.Config;
        double read = 0, operations = 0, head = 0;
        foreach (Parameter parameter in ParameterList.Of(config))
        {
            long bytes = model.TypeOf(parameter.Name).ByteLength(parameter.Count);
            ModelSize += bytes;
            bool lookup = parameter.Module == "position_embedding" || (parameter.Module == "embedding" && !config.TieWordEmbeddings);
            double share = lookup ? 1.0 / parameter.Rows
                : parameter.Module.StartsWith("experts.", StringComparison.Ordinal) ? (double)config.NumExpertsPerTok / config.NumLocalExperts
                : 1;
            read += bytes * share;
            if (lookup || parameter.Kind != "weight" || parameter.Shape.Length < 2)
                continue;
            int atEnd = UsesAtEnd(parameter);
            head += 2.0 * parameter.Count * share * atEnd;
            operations += 2.0 * parameter.Count * share * (Uses(parameter) - atEnd);
        }

        (BytesPerToken, OperationsPerToken, HeadOperations) = (read, operations, head);
    }

    /// <summary>Bytes of all parameters, shared ones once.</summary>
    public long ModelSize { get; }

    /// <summary>Bytes of weights that a token generated alone reads: rows of tables that are only looked up, and experts it does not visit, left out.</summary>
    public double BytesPerToken { get; }

    /// <summary>Two for each weight of a matrix that every token meets, blocks that share weights counted each; what <see cref="HeadOperations"/> counts left out.</summary>
    public double OperationsPerToken { get; }

    /// <summary>Two for each weight of the head, and of the last block but keys and values: only tokens with logits meet them.</summary>
    public double HeadOperations { get; }

    /// <summary>Cached positions that a token at <paramref name="position"/> reads, itself included: less than all behind sliding windows, on average over the blocks.</summary>
    public double CachedPositions(long position)
    {
        double values = 0, all = 0;
        foreach (LayerConfig layer in _config.Layers.Where(l => l.Kind == LayerKind.Attention))
        {
            all += layer.KeyValueHeads;
            values += layer.KeyValueHeads * (layer.SlidingWindow > 0 ? Math.Min(position + 1, layer.SlidingWindow) : position + 1.0);
        }

        return all > 0 ? values / all : 0;
    }

    private int UsesAtEnd(Parameter parameter)
    {
        LayerConfig last = _config.Layers[^1];
        return parameter.Module switch
        {
            "embedding" or "head" or "output_projection" => 1,
            "gate" or "up" or "down" when _config.SharedFeedForward && last.Kind == LayerKind.Attention => 1,
            "query" or "query_a" or "query_b" or "output" or "gate" or "up" or "down" or "router" or "experts.gate" or "experts.up" or "experts.down"
                when parameter.Layer == last.Weights && last.Kind == LayerKind.Attention => 1,
            _ => 0,
        };
    }

    private int Uses(Parameter parameter) => parameter.Layer < 0 ? 1
        : _config.SharedFeedForward && parameter.Module is "gate" or "up" or "down" ? _config.NumHiddenLayers
        : _config.Layers.Count(layer => layer.Weights == parameter.Layer);
}
