using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Compression;

/// <summary>Which sizes give way.</summary>
public enum PruneWays
{
    /// <summary>Channels and neurons, in proportion; heads and blocks stay: what loses least (Minitron, arXiv 2407.14679, section 4).</summary>
    Width,

    /// <summary>Blocks: what gains most speed.</summary>
    Depth,

    /// <summary>Both, by equal shares.</summary>
    Both,
}

/// <summary>Finds the size that meets a budget.</summary>
public static class ShapeSearch
{
    /// <summary>Sizes of which the kernels' tiles are full: a width between them is no faster than the next one up.</summary>
    public static int TileOf(int size) => size >= 1024 ? 64 : size >= 512 ? 32 : size >= 128 ? 16 : size >= 32 ? 8 : 1;

    /// <summary>The largest size within a budget.</summary>
    /// <param name="config">The model.</param>
    /// <param name="source">Its name, for messages.</param>
    /// <param name="ways">What gives way.</param>
    /// <param name="cost">What a description costs; grows with every size.</param>
    /// <param name="most">The budget, in the same unit.</param>
    /// <param name="unit">What the cost counts, for messages: "parameters".</param>
    /// <exception cref="InvalidInputException">The smallest size costs more; says how much.</exception>
    public static PruneShape Fit(ModelConfig config, string source, PruneWays ways, Func<ModelConfig, double> cost, double most, string unit)
    {
        double all = cost(config);
        if (all <= most)
            throw new InvalidInputException(source, unit, $"the model has {all:0} {unit}, which is within {most:0} already: there is nothing to prune");
        int layers = config.NumHiddenLayers;
        if (ways == PruneWays.Both)
        {
            // As many blocks go as bring half of the way there, on a scale of factors.
            double middle = Math.Sqrt(all * most);
            layers = Enumerable.Range(1, config.NumHiddenLayers).Where(count => Cost(new PruneShape { LayerCount = count }) is { } own && own <= middle).DefaultIfEmpty(1).Max();
        }

        IEnumerable<PruneShape> candidates = ways == PruneWays.Depth
            ? Enumerable.Range(1, config.NumHiddenLayers - 1).Select(count => new PruneShape { LayerCount = count })
            : Widths(config, layers).Select(Widest);
        (PruneShape Shape, double Cost)[] known = [.. candidates.Select(shape => (Shape: shape, Cost: Cost(shape))).Where(pair => pair.Cost is not null).Select(pair => (pair.Shape, pair.Cost!.Value))];
        (PruneShape Shape, double Cost)[] within = [.. known.Where(pair => pair.Cost <= most)];
        if (within.Length == 0)
            throw new InvalidInputException(source, unit, $"{most:0} cannot be met by {ways.ToString().ToLowerInvariant()}: {(known.Length == 0 ? "this family's config.json names no other size" : $"the least is {known.Min(pair => pair.Cost):0}")}");
        // Near to the model's proportions, and to the budget: a tenth of it unused weighs as much as a fifth off the proportions.
        double used = Math.Max(0.9 * most, within.Max(pair => pair.Cost) * 0.95);
        return within.Where(pair => pair.Cost >= used).DefaultIfEmpty(within.MaxBy(pair => pair.Cost)).MinBy(pair => Distortion(config, pair.Shape) + (2 * Math.Log(most / pair.Cost))).Shape;

        double? Cost(PruneShape shape) => CostOf(config, source, shape, cost);

        PruneShape Widest(PruneShape shape) => ShapeSearch.Widest(config, source, shape, cost, most);
    }

    /// <summary>Different sizes that all but fill a budget, to be tried: of each number of blocks down to half those nearest to the model's proportions first.</summary>
    /// <param name="config">The model.</param>
    /// <param name="source">Its name, for messages.</param>
    /// <param name="cost">What a description costs; grows with every size.</param>
    /// <param name="most">The budget, in the same unit.</param>
    /// <param name="count">How many at most.</param>
    /// <exception cref="InvalidInputException">No size fills at least nine tenths of the budget; says what is possible.</exception>
    public static IReadOnlyList<PruneShape> Candidates(ModelConfig config, string source, Func<ModelConfig, double> cost, double most, int count)
    {
        const double Filled = 0.9;
        int blocks = config.NumHiddenLayers;
        // A chain of proposals for each number of blocks, taken from in turns.
        Queue<PruneShape>[] chains = [.. Enumerable.Range(0, (blocks / 2) + 1).Select(gone => new Queue<PruneShape>(Widths(config, blocks - gone)
            .Select(shape => Widest(config, source, shape, cost, most))
            .Where(shape => CostOf(config, source, shape, cost) is { } own && own <= most && own >= Filled * most)
            .OrderBy(shape => Distortion(config, shape))))];
        List<PruneShape> found = [];
        while (found.Count < count && chains.Any(chain => chain.Count > 0))
            found.AddRange(chains.Where(chain => chain.Count > 0).Select(chain => chain.Dequeue()).ToArray().Take(count - found.Count));
        return found.Count > 0 ? found : throw new InvalidInputException(source, "budget", $"no size of at least half of the {blocks} blocks costs between {Filled * most:0} and {most:0}: the whole model costs {cost(config):0}");
    }

    private static double? CostOf(ModelConfig config, string source, PruneShape shape, Func<ModelConfig, double> cost)
    {
        try
        {
            return cost(PrunedConfig.Of(config, shape.Rank(config, null, source), source));
        }
        catch (InvalidInputException)
        {
            return null;
        }
    }

    // The widest feed-forward within the budget, or the narrowest of all.
    private static PruneShape Widest(ModelConfig config, string source, PruneShape shape, Func<ModelConfig, double> cost, double most)
    {
        int inner = config.Layers[0].IntermediateSize, tile = TileOf(inner), low = Math.Max(1, inner / 4 / tile), high = inner / tile;
        while (low < high)
        {
            int middle = (low + high + 1) / 2;
            if (CostOf(config, source, shape with { Intermediate = middle * tile }, cost) is { } own && own <= most)
                low = middle;
            else
                high = middle - 1;
        }

        return low * tile < inner ? shape with { Intermediate = low * tile } : shape;
    }

    // Widths down to a quarter; heads go with the channels only where a family has no other way to say a width.
    private static IEnumerable<PruneShape> Widths(ModelConfig config, int layers)
    {
        int? count = layers < config.NumHiddenLayers ? layers : null;
        int width = config.HiddenSize, heads = config.Layers.First(layer => layer.Kind == LayerKind.Attention).Heads;
        bool bound = !Says(config, new PruneShape { Hidden = width - TileOf(width) });
        int step = bound ? width / heads * (heads / GroupsOf(config)) : TileOf(width);
        for (int hidden = width; hidden >= Math.Max(1, width / 4); hidden -= Math.Max(1, step))
            yield return new PruneShape { LayerCount = count, Hidden = hidden < width ? hidden : null, Heads = bound && hidden < width ? hidden * heads / width : null };
    }

    // Heads go one from each group at a time; those with keys of their own one by one.
    private static int GroupsOf(ModelConfig config)
    {
        LayerConfig block = config.Layers.First(layer => layer.Kind == LayerKind.Attention);
        return block.KeyValueHeads == block.Heads ? block.Heads : block.Heads / block.KeyValueHeads;
    }

    private static bool Says(ModelConfig config, PruneShape shape)
    {
        try
        {
            PrunedConfig.Of(config, shape.Rank(config, null, ""), "");
            return true;
        }
        catch (InvalidInputException)
        {
            return false;
        }
    }

    private static double Distortion(ModelConfig config, PruneShape shape) => Math.Abs(Math.Log(
        (double)(shape.Hidden ?? config.HiddenSize) / config.HiddenSize * config.Layers[0].IntermediateSize / (shape.Intermediate ?? config.Layers[0].IntermediateSize)));
}
