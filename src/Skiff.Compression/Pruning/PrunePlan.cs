using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Compression;

/// <summary>
/// Folds a head that goes into one that stays, before rows and columns are cut: query rows and output columns become h + sign (h - partner)
/// (Minitron, arXiv 2407.14679, section 2.3; printed with sign 1, which subtracts what it means to keep).
/// </summary>
/// <param name="Partners">Heads that stay, and the one that goes for each.</param>
/// <param name="Sign">1 as printed, -1 for the opposite.</param>
public sealed record HeadResidual(IReadOnlyDictionary<int, int> Partners, int Sign);

/// <summary>What stays of a model, by the numbers it has there, ascending; a list that is not there keeps all.</summary>
public sealed record PrunePlan
{
    /// <summary>Blocks.</summary>
    public IReadOnlyList<int>? Layers { get; init; }

    /// <summary>Channels of the residual stream, the same throughout.</summary>
    public IReadOnlyList<int>? Hidden { get; init; }

    /// <summary>Query heads of each block by the number of its weights; as many in every group of a block's key-value heads.</summary>
    public IReadOnlyDictionary<int, int[]>? Heads { get; init; }

    /// <summary>What is folded of heads that go into heads that stay, by block: see <see cref="HeadResidual"/>.</summary>
    public IReadOnlyDictionary<int, HeadResidual>? HeadResiduals { get; init; }

    /// <summary>Feed-forward neurons by block and expert; -1 where there are no experts.</summary>
    public IReadOnlyDictionary<(int Layer, int Expert), int[]>? Neurons { get; init; }

    /// <summary>Experts of each block.</summary>
    public IReadOnlyDictionary<int, int[]>? Experts { get; init; }

    /// <summary>Key-value heads that stay: those of pruned query heads go only where each query head has its own.</summary>
    internal int[]? KeyValueHeads(LayerConfig layer) => Heads is null || layer.KeyValueHeads != layer.Heads ? null : Heads[layer.Weights];

    /// <summary>The numbers that stay on an axis of a block; null for all.</summary>
    internal IReadOnlyList<int>? Kept(PruneAxis axis, LayerConfig? layer, int expert) => axis switch
    {
        PruneAxis.Hidden => Hidden,
        PruneAxis.Head => Heads?[layer!.Weights],
        PruneAxis.KeyValueHead => KeyValueHeads(layer!),
        PruneAxis.Neuron => Neurons?[(layer!.Weights, expert)],
        PruneAxis.Expert => Experts?[layer!.Weights],
        _ => null,
    };

    /// <summary>Refuses what is not a part of a model.</summary>
    /// <exception cref="InvalidInputException">Names the list, and what it may hold.</exception>
    internal void Check(ModelConfig config, string source)
    {
        CheckList(Layers, config.NumHiddenLayers, "layers");
        CheckList(Hidden, config.HiddenSize, "hidden");
        foreach (LayerConfig layer in config.Layers.DistinctBy(layer => layer.Weights))
        {
            if (Heads is not null && layer.Kind == LayerKind.Attention)
            {
                CheckList(Heads[layer.Weights], layer.Heads, "heads");
                if (layer.KeyValueHeads != layer.Heads && InGroups(Heads[layer.Weights], layer).Distinct().Count() != 1)
                    throw new InvalidInputException(source, "heads", $"block {layer.Weights} must keep as many query heads in each of its {layer.KeyValueHeads} groups");
            }

            for (int expert = config.NumLocalExperts > 0 ? 0 : -1; Neurons is not null && expert < Math.Max(0, config.NumLocalExperts); expert++)
                CheckList(Neurons.GetValueOrDefault((layer.Weights, expert)), layer.IntermediateSize, "ffn");
            CheckList(Experts?[layer.Weights], config.NumLocalExperts, "experts");
        }

        static IEnumerable<int> InGroups(int[] heads, LayerConfig layer) =>
            Enumerable.Range(0, layer.KeyValueHeads).Select(group => heads.Count(head => head / (layer.Heads / layer.KeyValueHeads) == group));

        void CheckList(IReadOnlyList<int>? kept, int count, string field)
        {
            if (kept is null)
                return;
            if (kept.Count == 0)
                throw new InvalidInputException(source, field, "nothing would be left: keep at least one");
            if (kept.Any(i => i < 0 || i >= count))
                throw new InvalidInputException(source, field, $"{kept.First(i => i < 0 || i >= count)} is not there: the model has 0 to {count - 1}");
            if (kept.Zip(kept.Skip(1)).Any(pair => pair.First >= pair.Second))
                throw new InvalidInputException(source, field, "must ascend, each number once");
        }
    }
}
