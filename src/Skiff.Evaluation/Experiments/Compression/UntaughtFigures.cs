using System.Text.Json.Nodes;
using Skiff.Compression;
using Skiff.Models;

namespace Skiff.Evaluation;

/// <summary>What a teacher's half loses before it is taught anything, by how its parts were chosen: nine ways to add scores up, chance, and runs of blocks.</summary>
internal static class UntaughtFigures
{
    private const int ChanceDraws = 3, DepthSamples = 16;

    /// <summary>Losses by way, nats a token.</summary>
    /// <param name="context">Where.</param>
    /// <param name="tier">Whose.</param>
    /// <param name="training">Where its models lie.</param>
    /// <param name="seed">Of the teacher.</param>
    /// <param name="samples">Texts to measure on.</param>
    public static JsonObject Measure(ExperimentContext context, CompressionTier tier, CompressionTraining training, int seed, int samples)
    {
        string path = training.ModelPath(context, "teacher", seed);
        Model teacher = Model.Open(path);
        Importance importance = training.ImportanceOf(context, seed, teacher);
        Memory<int>[] texts = tier.Samples(context, teacher.Tokenizer, seed, shifted: false, draw: 6000, samples);
        PruneShape half = tier.ShapeOf(StudentSize.Half), shallow = tier.ShapeOf(StudentSize.Shallow);
        JsonObject figures = [];
        foreach (Aggregation batch in Enum.GetValues<Aggregation>())
        {
            foreach (Aggregation sequence in Enum.GetValues<Aggregation>())
                figures[$"{batch} over texts, {sequence} over tokens"] = Loss(half.Rank(teacher.Config, importance, path, batch, sequence));
        }

        figures["chance"] = Enumerable.Range(1, ChanceDraws).Average(draw => Loss((half with { RandomSeed = draw }).Rank(teacher.Config, null, path)));
        figures["half of the blocks, by influence"] = Loss(shallow.Rank(teacher.Config, importance, path));
        int[] byLoss = DepthSearch.Best(teacher, shallow.LayerCount!.Value, tier.Corpus(context, seed, shifted: false), DepthSamples, CompressionTier.Context, null, context.Stop);
        figures["half of the blocks, by the loss without them"] = Loss((shallow with { Layers = byLoss }).Rank(teacher.Config, importance, path));
        return figures;

        double Loss(PrunePlan plan) => ModelDivergence.Measure(teacher, PrunedModel.Of(teacher, plan), texts, context.Stop).Loss;
    }
}
