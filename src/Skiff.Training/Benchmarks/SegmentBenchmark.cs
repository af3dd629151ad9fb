using System.Diagnostics;
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Training;

/// <summary>Steps at one context.</summary>
/// <param name="Context">T.</param>
/// <param name="Full">Tokens a second under full attention, median.</param>
/// <param name="Anchors">Tokens a second with anchors, median.</param>
/// <param name="Ratio">Median of the ratios of steps that stood beside each other.</param>
public readonly record struct SegmentFigures(int Context, double Full, double Anchors, double Ratio);

/// <summary>What hidden blocks save: steps of one model under full attention and under the segment rule, in turn.</summary>
public static class SegmentBenchmark
{
    private const int Vocabulary = 4096, TokensPerStep = 8192;

    /// <summary>The contexts that are measured.</summary>
    public static IReadOnlyList<int> Contexts { get; } = [256, 512, 1024, 2048, 4096];

    /// <summary>A Llama of width 256 with 6 blocks and 8 heads, 8,192 tokens a step; anchors are end points, as AnLLM's.</summary>
    /// <param name="context">T.</param>
    /// <param name="segment">Tokens of a segment.</param>
    /// <param name="rounds">Steps of each.</param>
    public static SegmentFigures Measure(int context, int segment, int rounds)
    {
        ModelConfig config = ModelConfig.Parse(
            System.Text.Encoding.UTF8.GetBytes($$"""
                {"model_type": "llama", "vocab_size": {{Vocabulary}}, "hidden_size": 256, "intermediate_size": 704, "num_hidden_layers": 6,
                 "num_attention_heads": 8, "max_position_embeddings": {{context}}, "rms_norm_eps": 1e-5, "tie_word_embeddings": true}
                """),
            "benchmark");
        TrainingParameters parameters = new(ParameterList.Of(config), _ => true);
        new Parametrization(new RecipeParametrization(), config).Initialize(parameters, 0);
        Optimizer optimizer = new(parameters, _ => new ParameterRate(1, 0, false), new AdamWSettings(), new MuonSettings());
        TrainingStep step = new(parameters, optimizer, clip: 1);
        DecoderTapeOptions options = new() { Batch = MicroBatch.Rows(TokensPerStep / context, context), Time = context };
        using DecoderTape full = new(config, parameters, options), anchored = new(config with { Anchors = new AnchorConfig { EndIds = [0] } }, parameters, options);
        Random random = new(1);
        // Token 0 closes a segment and occurs nowhere else.
        int[] ids = [.. Enumerable.Range(0, TokensPerStep).Select(i => i % segment == segment - 1 ? 0 : random.Next(1, Vocabulary))], starts = new int[TokensPerStep];
        double[] fulls = new double[rounds], anchors = new double[rounds];
        for (int round = -1; round < rounds; round++)
        {
            // Each goes first in every other round.
            bool first = round % 2 == 0;
            double one = Time(first ? full : anchored, round), other = Time(first ? anchored : full, round);
            if (round >= 0)
                (fulls[round], anchors[round]) = (TokensPerStep / (first ? one : other), TokensPerStep / (first ? other : one));
        }

        return new SegmentFigures(context, Median(fulls), Median(anchors), Median([.. anchors.Zip(fulls, (a, f) => a / f)]));

        double Time(DecoderTape tape, int round)
        {
            long start = Stopwatch.GetTimestamp();
            step.Run(tape, ids, ids, starts, 1e-4, round + 2);
            return Stopwatch.GetElapsedTime(start).TotalSeconds;
        }
    }

    private static double Median(double[] values)
    {
        double[] sorted = [.. values.Order()];
        return (sorted[sorted.Length / 2] + sorted[(sorted.Length - 1) / 2]) / 2;
    }
}
