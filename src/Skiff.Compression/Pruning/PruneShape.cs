using Skiff.Inference;
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Compression;

/// <summary>The size a model is pruned to; what is not given stays.</summary>
public sealed record PruneShape
{
    /// <summary>Blocks that stay, by number; wins over <see cref="LayerCount"/>.</summary>
    public IReadOnlyList<int>? Layers { get; init; }

    /// <summary>How many blocks stay.</summary>
    public int? LayerCount { get; init; }

    /// <summary>Channels of the residual stream.</summary>
    public int? Hidden { get; init; }

    /// <summary>Feed-forward width, of each expert in a mixture.</summary>
    public int? Intermediate { get; init; }

    /// <summary>Query heads.</summary>
    public int? Heads { get; init; }

    /// <summary>Experts.</summary>
    public int? Experts { get; init; }

    /// <summary>Sign with which heads that go are folded into those that stay: 1 as the paper prints it, -1 for the opposite, 0 for not at all.</summary>
    public int HeadResidual { get; init; }

    /// <summary>Draws what stays by this seed, whatever its score: shows what importance is worth.</summary>
    public int? RandomSeed { get; init; }

    /// <summary>What stays of a model at this size, the most important parts by their scores.</summary>
    /// <param name="config">The model.</param>
    /// <param name="importance">Its scores; without them the first parts stay, to see what a size comes to.</param>
    /// <param name="source">The model's name, for messages.</param>
    /// <param name="batch">Over samples.</param>
    /// <param name="sequence">Over a sample's tokens.</param>
    /// <exception cref="InvalidInputException">A size that the model cannot be pruned to; says which are possible.</exception>
    public PrunePlan Rank(ModelConfig config, Importance? importance, string source, Aggregation batch = Aggregation.L2, Aggregation sequence = Aggregation.Mean)
    {
        LayerConfig[] blocks = [.. config.Layers.DistinctBy(layer => layer.Weights)], attending = [.. blocks.Where(layer => layer.Kind == LayerKind.Attention)];
        Range(LayerCount, config.NumHiddenLayers, "layers");
        Range(Hidden, config.HiddenSize, "hidden");
        Range(Intermediate, blocks.Min(layer => layer.IntermediateSize), "ffn");
        Range(Heads, attending.Length == 0 ? 0 : attending.Min(layer => layer.Heads), "heads");
        if (Experts is not null && config.NumLocalExperts == 0)
            throw new InvalidInputException(source, "experts", "the model has none");
        Range(Experts, config.NumLocalExperts, "experts", Math.Max(1, config.NumExpertsPerTok));
        if (Heads is { } wanted && attending.FirstOrDefault(layer => layer.KeyValueHeads != layer.Heads && wanted % layer.KeyValueHeads != 0) is { } grouped)
            throw new InvalidInputException(source, "heads", $"{wanted} do not fill {grouped.KeyValueHeads} groups of key-value heads evenly: give a multiple of {grouped.KeyValueHeads}");
        SplitMix64? random = RandomSeed is { } seed ? new SplitMix64((ulong)seed) : null;
        bool cutsHeads = Heads is { } left && attending.Any(layer => left < layer.Heads);
        Dictionary<int, double[]> heads = cutsHeads ? attending.ToDictionary(layer => layer.Weights, HeadScores) : [];
        return new PrunePlan
        {
            Layers = Layers ?? (LayerCount is { } count && count < config.NumHiddenLayers ? WithoutLeast(config, random is null ? importance : null, count, random) : null),
            Hidden = Hidden is { } hidden && hidden < config.HiddenSize ? Best(Scores(importance?.Hidden(batch, sequence), config.HiddenSize), hidden) : null,
            Heads = cutsHeads ? attending.ToDictionary(layer => layer.Weights, layer => BestHeads(heads[layer.Weights], layer, Heads!.Value)) : null,
            HeadResiduals = cutsHeads && HeadResidual != 0
                ? attending.ToDictionary(layer => layer.Weights, layer => new HeadResidual(Partners(heads[layer.Weights], layer, Heads!.Value), HeadResidual))
                : null,
            Neurons = Intermediate is { } neurons && blocks.Any(layer => neurons < layer.IntermediateSize)
                ? FeedForwards(config).ToDictionary(
                    place => place, place => Best(Scores(importance?.Neurons(place.Layer, place.Expert, batch, sequence), blocks.First(layer => layer.Weights == place.Layer).IntermediateSize), neurons))
                : null,
            Experts = Experts is { } experts && experts < config.NumLocalExperts
                ? blocks.ToDictionary(layer => layer.Weights, layer => Best(Scores(importance?.ExpertsOf(layer.Weights), config.NumLocalExperts), experts))
                : null,
        };

        double[] HeadScores(LayerConfig layer) => Scores(importance?.Heads(layer.Weights, batch, sequence), layer.Heads) ?? new double[layer.Heads];

        double[]? Scores(double[]? measured, int parts) => random is null ? measured : [.. Enumerable.Range(0, parts).Select(_ => random.NextDouble())];

        void Range(int? size, int most, string field, int least = 1)
        {
            if (size is { } asked && (asked < least || asked > most))
                throw new InvalidInputException(source, field, $"{asked} is out of reach: the model can be pruned to {least} to {most}");
        }
    }

    /// <summary>The feed-forwards of a model: a block's own, its experts', or the one that all share.</summary>
    internal static IEnumerable<(int Layer, int Expert)> FeedForwards(ModelConfig config) => config.Layers
        .Select(layer => config.SharedFeedForward ? 0 : layer.Weights).Distinct()
        .SelectMany(layer => config.NumLocalExperts == 0 ? [(layer, -1)] : Enumerable.Range(0, config.NumLocalExperts).Select(expert => (layer, expert)));

    /// <summary>
    /// All blocks but the run of them that turns the residual stream least; the first and the last stay. One run, as scattered removal harms tasks
    /// more than its loss tells (Minitron, arXiv 2408.11796, section 4.3).
    /// </summary>
    private static int[] WithoutLeast(ModelConfig config, Importance? importance, int count, SplitMix64? random)
    {
        int gone = config.NumHiddenLayers - count, last = config.NumHiddenLayers - gone - 1;
        // Where more goes than lies between, the end goes too.
        int[] firsts = last > 1 ? [.. Enumerable.Range(1, last - 1)] : [Math.Min(1, last + 1)];
        int first = firsts.MinBy(start => importance?.Influence(start, gone) ?? random?.NextDouble() ?? 0);
        return [.. Enumerable.Range(0, config.NumHiddenLayers).Where(l => l < first || l >= first + gone)];
    }

    private static int[] BestHeads(double[] scores, LayerConfig layer, int count)
    {
        if (layer.KeyValueHeads == layer.Heads)
            return Best(scores, count);
        int size = layer.Heads / layer.KeyValueHeads, kept = count / layer.KeyValueHeads;
        return [.. Enumerable.Range(0, layer.KeyValueHeads).SelectMany(group => Best(scores[(group * size)..((group + 1) * size)], kept).Select(head => (group * size) + head))];
    }

    // Ranked 1 to L and cut to K, head i of 2K - L + 1 to K has partner 2K - i + 1; the formula's first i names head L + 1, which is not there.
    private static Dictionary<int, int> Partners(double[] scores, LayerConfig layer, int count)
    {
        int groups = layer.KeyValueHeads == layer.Heads ? 1 : layer.KeyValueHeads, size = layer.Heads / groups, kept = count / groups;
        Dictionary<int, int> partners = [];
        for (int group = 0; group < groups; group++)
        {
            int[] ranked = [.. Ranked(scores[(group * size)..((group + 1) * size)]).Select(head => (group * size) + head)];
            for (int i = Math.Max(1, (2 * kept) - size + 1); i <= kept; i++)
                partners.Add(ranked[i - 1], ranked[(2 * kept) - i]);
        }

        return partners;
    }

    // The highest scores, in the order they stand; of equal ones the first.
    private static int[] Best(double[]? scores, int count) => scores is null ? [.. Enumerable.Range(0, count)] : [.. Ranked(scores).Take(count).Order()];

    private static IEnumerable<int> Ranked(double[] scores) => Enumerable.Range(0, scores.Length).OrderByDescending(i => scores[i]).ThenBy(i => i);
}
