namespace Skiff.Models;

/// <summary>Every parameter of an architecture, shared ones once, in the order files usually hold them.</summary>
public static class ParameterList
{
    /// <summary>The parameters of <paramref name="config"/>.</summary>
    public static IEnumerable<Parameter> Of(ModelConfig config)
    {
        long width = config.HiddenSize, embedding = config.WordEmbedProjDim;
        yield return Global("embedding", "weight", config.VocabSize, embedding);
        if (config.Position == PositionKind.Learned)
            yield return Global("position_embedding", "weight", config.MaxPositionEmbeddings + config.PositionOffset, width);
        if (embedding != width)
        {
            yield return Global("embedding_projection", "weight", width, embedding);
            yield return Global("output_projection", "weight", embedding, width);
        }

        if (config.EmbeddingNorm)
        {
            foreach (Parameter p in Norm(config.Norm, "embedding_norm", -1, width))
                yield return p;
        }

        HashSet<int> seen = [];
        foreach (LayerConfig layer in config.Layers)
        {
            if (!seen.Add(layer.Weights))
                continue;
            foreach (Parameter p in Layer(config, layer))
                yield return p;
        }

        if (config.FinalNorm)
        {
            foreach (Parameter p in Norm(config.Norm, "final_norm", -1, width))
                yield return p;
        }

        if (!config.TieWordEmbeddings)
            yield return Global("head", "weight", config.VocabSize, embedding);
        if (config.HeadBias)
            yield return Global("head", "bias", config.VocabSize);
    }

    /// <summary>The same with blocks of one shape listed once, and how often each occurs: for sums, which need no list as long as the model.</summary>
    internal static IEnumerable<(Parameter Parameter, long Times)> Kinds(ModelConfig config)
    {
        // Only the first block differs from one of its shape: it may own what all share.
        var kinds = config.Layers.DistinctBy(l => l.Weights)
            .GroupBy(l => (First: l.Weights == 0, l.Kind, l.Heads, l.KeyValueHeads, l.IntermediateSize));
        return Of(config with { Layers = [] }).Select(p => (p, 1L))
            .Concat(kinds.SelectMany(kind => Layer(config, kind.First()).Select(p => (p, kind.LongCount()))));
    }

    private static Parameter Global(string module, string kind, params long[] shape) => new(module, kind, -1, -1, shape);

    private static IEnumerable<Parameter> Layer(ModelConfig config, LayerConfig layer)
    {
        int l = layer.Weights;
        long width = config.HiddenSize;
        foreach (string norm in NormModules(config))
        {
            foreach (Parameter p in Norm(config.Norm, norm, l, width))
                yield return p;
        }

        IEnumerable<Parameter> mixer = layer.Kind == LayerKind.Recurrent ? Recurrent(config, config.Recurrent!, l)
            : config.Latent is { } latent ? Latent(config, latent, layer)
            : Attention(config, layer);
        foreach (Parameter p in mixer)
            yield return p;
        foreach (Parameter p in FeedForward(config, layer))
            yield return p;
    }

    /// <summary>The norms of a block, by where they stand.</summary>
    internal static IEnumerable<string> NormModules(ModelConfig config)
    {
        if (config.NormPlacement is NormPlacement.Before or NormPlacement.Both)
            yield return "attention_norm";
        if (config.NormPlacement is not NormPlacement.Before)
            yield return "post_attention_norm";
        if (config.NormPlacement is NormPlacement.Before or NormPlacement.Both && !(config.UseParallelResidual && config.SharedParallelNorm))
            yield return "feed_forward_norm";
        if (config.NormPlacement is not NormPlacement.Before)
            yield return "post_feed_forward_norm";
    }

    private static IEnumerable<Parameter> Norm(NormConfig norm, string module, int layer, long size, int index = -1)
    {
        if (norm.Gain)
            yield return new(module, "weight", layer, index, size);
        if (norm.Bias)
            yield return new(module, "bias", layer, index, size);
    }

    private static IEnumerable<Parameter> Linear(string module, int layer, long outputs, long inputs, bool bias, int index = -1)
    {
        yield return new(module, "weight", layer, index, outputs, inputs);
        if (bias)
            yield return new(module, "bias", layer, index, outputs);
    }

    private static IEnumerable<Parameter> Attention(ModelConfig config, LayerConfig layer)
    {
        int l = layer.Weights;
        long width = config.HiddenSize, queries = (long)layer.Heads * config.HeadDim, keys = (long)layer.KeyValueHeads * config.HeadDim;
        foreach (Parameter p in (IEnumerable<Parameter>)[
            .. Linear("query", l, queries, width, config.QkvBias),
            .. Linear("key", l, keys, width, config.QkvBias),
            .. Linear("value", l, (long)layer.KeyValueHeads * config.ValueHeadDim, width, config.QkvBias),
            .. Linear("output", l, width, (long)layer.Heads * config.ValueHeadDim, config.AttentionOutputBias)])
            yield return p;
        switch (config.QkNorm)
        {
            case QueryKeyNorm.PerHead:
                foreach (Parameter p in Norm(config.Norm, "query_norm", l, config.HeadDim).Concat(Norm(config.Norm, "key_norm", l, config.HeadDim)))
                    yield return p;
                break;
            case QueryKeyNorm.Whole:
                foreach (Parameter p in Norm(config.Norm, "query_norm", l, queries).Concat(Norm(config.Norm, "key_norm", l, keys)))
                    yield return p;
                break;
            case QueryKeyNorm.EachHead:
                for (int h = 0; h < layer.Heads; h++)
                    yield return new("query_norm", "weight", l, h, config.HeadDim);
                for (int h = 0; h < layer.KeyValueHeads; h++)
                    yield return new("key_norm", "weight", l, h, config.HeadDim);
                break;
        }
    }

    private static IEnumerable<Parameter> Latent(ModelConfig config, LatentAttentionConfig latent, LayerConfig layer)
    {
        int l = layer.Weights;
        long width = config.HiddenSize, heads = layer.Heads;
        return [
            .. Linear("query_a", l, latent.QLoraRank, width, config.QkvBias),
            new("query_a_norm", "weight", l, -1, latent.QLoraRank),
            new("query_b", "weight", l, -1, heads * config.HeadDim, latent.QLoraRank),
            .. Linear("key_value_a", l, latent.KvLoraRank + latent.QkRopeHeadDim, width, config.QkvBias),
            new("key_value_a_norm", "weight", l, -1, latent.KvLoraRank),
            new("key_value_b", "weight", l, -1, heads * (latent.QkNopeHeadDim + latent.VHeadDim), latent.KvLoraRank),
            .. Linear("output", l, width, heads * latent.VHeadDim, config.AttentionOutputBias)];
    }

    private static IEnumerable<Parameter> FeedForward(ModelConfig config, LayerConfig layer)
    {
        int l = layer.Weights;
        long width = config.HiddenSize, inner = layer.IntermediateSize;
        if (config.SharedFeedForward && l > 0)
            yield break;
        if (config.NumLocalExperts > 0)
            yield return new("router", "weight", l, -1, config.NumLocalExperts, width);
        // A dense feed-forward is the single "expert" -1.
        int first = config.NumLocalExperts > 0 ? 0 : -1;
        for (int e = first; e < Math.Max(config.NumLocalExperts, first + 1); e++)
        {
            string prefix = e < 0 ? "" : "experts.";
            if (config.Gated)
            {
                foreach (Parameter p in Linear(prefix + "gate", l, inner, width, config.MlpBias, e))
                    yield return p;
            }

            foreach (Parameter p in Linear(prefix + "up", l, inner, width, config.MlpBias, e))
                yield return p;
            foreach (Parameter p in Linear(prefix + "down", l, width, inner, config.MlpBias, e))
                yield return p;
        }
    }

    private static IEnumerable<Parameter> Recurrent(ModelConfig config, RecurrentConfig recurrent, int l)
    {
        long width = config.HiddenSize, lru = recurrent.LruWidth, blocks = recurrent.GateBlocks, block = lru / blocks;
        return [
            .. Linear("recurrent_x", l, lru, width, true),
            .. Linear("recurrent_y", l, lru, width, true),
            .. Linear("recurrent_out", l, width, lru, true),
            new("convolution", "weight", l, -1, lru, 1, recurrent.Conv1dWidth),
            new("convolution", "bias", l, -1, lru),
            new("recurrence", "recurrent_param", l, -1, lru),
            new("recurrence", "input_gate_weight", l, -1, blocks, block, block),
            new("recurrence", "input_gate_bias", l, -1, blocks, block),
            new("recurrence", "recurrent_gate_weight", l, -1, blocks, block, block),
            new("recurrence", "recurrent_gate_bias", l, -1, blocks, block)];
    }
}
