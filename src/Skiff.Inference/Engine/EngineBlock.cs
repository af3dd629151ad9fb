// N rows, D model
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Inference;

/// <summary>One block: norms, mixer, feed-forward, joined to the residual as the description says. The counterpart of <c>DecoderBlock</c>.</summary>
internal sealed unsafe class EngineBlock
{
    private readonly ModelConfig _config;
    private readonly Action<EnginePass, MatrixView, MatrixView> _mixer, _feedForward;
    private readonly Action<EnginePass, MatrixView>? _remember;
    private readonly EngineNorm? _attentionNorm, _feedForwardNorm, _postAttentionNorm, _postFeedForwardNorm;

    /// <summary>A block with its weights packed.</summary>
    /// <param name="config">What is computed.</param>
    /// <param name="weights">Where weights come from.</param>
    /// <param name="plan">Rotations and caches.</param>
    /// <param name="block">Its place.</param>
    /// <param name="maxRows">Rows of a pass at most.</param>
    public EngineBlock(ModelConfig config, EngineWeights weights, EnginePlan plan, int block, int maxRows)
    {
        _config = config;
        LayerConfig layer = config.Layers[block];
        string[] norms = [.. ParameterList.NormModules(config)];
        _attentionNorm = Norm("attention_norm");
        _feedForwardNorm = Norm("feed_forward_norm");
        _postAttentionNorm = Norm("post_attention_norm");
        _postFeedForwardNorm = Norm("post_feed_forward_norm");
        long mixerValues, feedForwardValues;
        if (layer.Kind == LayerKind.Recurrent)
        {
            EngineRecurrence recurrence = new(config, weights, block);
            (_mixer, mixerValues) = (recurrence.Apply, recurrence.RowValues);
        }
        else if (config.Latent is not null)
        {
            EngineLatentAttention attention = new(config, weights, plan, block);
            (_mixer, _remember, mixerValues) = (attention.Apply, attention.Remember, attention.RowValues);
        }
        else
        {
            EngineAttention attention = new(config, weights, plan, block);
            (_mixer, _remember, mixerValues) = (attention.Apply, attention.Remember, attention.RowValues);
        }

        if (config.NumLocalExperts > 0)
        {
            EngineExperts experts = new(config, weights, layer, maxRows);
            (_feedForward, feedForwardValues) = (experts.Apply, experts.RowValues);
        }
        else
        {
            EngineFeedForward feedForward = new(config, weights, layer);
            (_feedForward, feedForwardValues) = (feedForward.Apply, feedForward.RowValues);
        }

        RowValues = 3L * config.HiddenSize + Math.Max(mixerValues, feedForwardValues);

        EngineNorm? Norm(string module) => norms.Contains(module) ? weights.Norm(config.Norm, module, layer.Weights) : null;
    }

    /// <summary>Scratch values that a row takes.</summary>
    public long RowValues { get; }

    /// <summary>Whether <see cref="Remember"/> is all that later rows need: recurrent states come about by the whole mixer.</summary>
    public bool Remembers => _remember is not null;

    /// <summary>What x [N, D], which stays, leaves behind for later rows: keys and values.</summary>
    public void Remember(EnginePass pass, MatrixView x)
    {
        long mark = pass.Mark();
        _remember!(pass, Normed(pass, _attentionNorm, x, pass.Take(_config.HiddenSize)));
        pass.Release(mark);
    }

    /// <summary>x [N, D] becomes the block's output.</summary>
    public void Apply(EnginePass pass, MatrixView x)
    {
        int width = _config.HiddenSize;
        long mark = pass.Mark();
        MatrixView normed = pass.Take(width), mixed = pass.Take(width);
        MatrixView attentionInput = Normed(pass, _attentionNorm, x, normed);
        Branch(pass, _mixer, attentionInput, mixed);
        float scale = (float)_config.ResidualScale;
        if (_config.UseParallelResidual)
        {
            MatrixView fed = pass.Take(width);
            MatrixView parallelInput = _config.SharedParallelNorm ? attentionInput : Normed(pass, _feedForwardNorm, x, normed);
            Branch(pass, _feedForward, parallelInput, fed);
            Add(pass, x, mixed, scale, x);
            Add(pass, x, fed, scale, x);
        }
        else
        {
            Join(pass, attentionInput, mixed, _postAttentionNorm, x);
            MatrixView feedForwardInput = Normed(pass, _feedForwardNorm, x, normed);
            Branch(pass, _feedForward, feedForwardInput, mixed);
            Join(pass, feedForwardInput, mixed, _postFeedForwardNorm, x);
        }

        pass.Release(mark);
    }

    private static void Branch(EnginePass pass, Action<EnginePass, MatrixView, MatrixView> branch, MatrixView input, MatrixView output)
    {
        long mark = pass.Mark();
        branch(pass, input, output);
        pass.Release(mark);
    }

    // x itself where this family has no norm in this place.
    private static MatrixView Normed(EnginePass pass, EngineNorm? norm, MatrixView x, MatrixView room)
    {
        if (norm is null)
            return x;
        norm.Apply(pass, x, room);
        return room;
    }

    private void Join(EnginePass pass, MatrixView input, MatrixView branch, EngineNorm? norm, MatrixView x)
    {
        if (_config.NormPlacement is NormPlacement.AfterBranch or NormPlacement.Both)
            norm!.Apply(pass, branch, branch);
        Add(pass, _config.ApplyResidualConnectionPostLayernorm ? input : x, branch, (float)_config.ResidualScale, x);
        if (_config.NormPlacement == NormPlacement.AfterResidual)
            norm!.Apply(pass, x, x);
    }

    private static void Add(EnginePass pass, MatrixView y, MatrixView branch, float scale, MatrixView target) =>
        AddScaled.Apply(Values(y), Values(branch), scale, Values(target), pass.Team);

    private static Span<float> Values(MatrixView x) => new(x.Data, checked(x.Rows * x.Columns));
}
