using System.Globalization;
using Skiff.Tensors;

namespace Skiff.Training;

/// <summary>Refuses what a <see cref="DataLoader"/> cannot be made of.</summary>
internal static class DataChecks
{
    /// <summary>Checks names, stages and that no source that is used is empty.</summary>
    /// <exception cref="InvalidInputException">Something cannot be used.</exception>
    public static void Check(IReadOnlyList<DataSource> sources, DataLoaderOptions options)
    {
        if (sources.Count == 0)
            throw new InvalidInputException("data", "sources", "there are none");
        if (sources.GroupBy(source => source.Name, StringComparer.Ordinal).FirstOrDefault(group => group.Count() > 1) is { } twice)
            throw new InvalidInputException("data", twice.Key, "two sources have this name");
        if (sources.FirstOrDefault(source => source.Shards.VocabularySize != sources[0].Shards.VocabularySize) is DataSource other)
            throw new InvalidInputException("data", other.Name, $"its vocabulary has {other.Shards.VocabularySize} entries, that of {sources[0].Name} {sources[0].Shards.VocabularySize}: tokenise both with one tokenizer");
        if (options.PieceLength < 0)
            throw new InvalidInputException("data", "piece length", $"{options.PieceLength} is negative");
        if (options.Stages.Count == 0)
            throw new InvalidInputException("data", "stages", "there are none");
        for (int i = 0; i < options.Stages.Count; i++)
        {
            DataStage stage = options.Stages[i];
            if (i == 0 ? stage.From != 0 : stage.From <= options.Stages[i - 1].From)
                throw new InvalidInputException("data", $"stages[{i}].from", i == 0 ? $"{stage.From}: the first stage begins at 0" : $"{stage.From} does not lie behind the stage before, {options.Stages[i - 1].From}");
            if (stage.ContextLength < 1)
                throw new InvalidInputException("data", $"stages[{i}].context_length", $"{stage.ContextLength}: must be at least 1");
            CheckWeights(sources, stage, $"stages[{i}].weights");
        }

        foreach (DataSource source in sources)
        {
            if (source.Shards.Count(options.Split, options.HeldOutShare).Tokens == 0)
                throw new InvalidInputException("data", source.Name, string.Create(CultureInfo.InvariantCulture, $"none of its {source.Shards.Documents} documents is on the {options.Split} side at a held-out share of {options.HeldOutShare}: more documents or another share"));
        }
    }

    /// <summary>The weight of every source in a stage.</summary>
    public static double[] Weights(IReadOnlyList<DataSource> sources, DataLoaderOptions options, DataStage stage) => stage.Weights.Count == 0
        ? [.. sources.Select(source => (double)source.Shards.Count(options.Split, options.HeldOutShare).Tokens)]
        : [.. sources.Select(source => stage.Weights.GetValueOrDefault(source.Name))];

    private static void CheckWeights(IReadOnlyList<DataSource> sources, DataStage stage, string field)
    {
        foreach ((string name, double weight) in stage.Weights)
        {
            if (sources.All(source => source.Name != name))
                throw new InvalidInputException("data", field, $"'{name}' is no source: there are {string.Join(", ", sources.Select(source => source.Name))}");
            if (!(weight >= 0 && weight < 1e15))
                throw new InvalidInputException("data", field, string.Create(CultureInfo.InvariantCulture, $"'{name}' has {weight}: a weight is a number from 0"));
        }

        if (stage.Weights.Count > 0 && stage.Weights.Values.All(weight => weight == 0))
            throw new InvalidInputException("data", field, "all are 0");
    }
}
