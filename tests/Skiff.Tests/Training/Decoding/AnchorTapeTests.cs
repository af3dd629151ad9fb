using Skiff.Models;
using Skiff.Tensors;
using Skiff.Training;

namespace Skiff.Tests.Training;

/// <summary>Training under a model's anchors.</summary>
public sealed class AnchorTapeTests
{
    private static readonly AnchorConfig s_anchors = new() { EndIds = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10] };

    public static TheoryData<string, bool, int, int, int, int> Rules => new()
    {
        { "llama", false, 1, 0, 0, 0 }, { "llama", true, 2, 0, 0, 0 }, { "llama", false, 1, 5, 3, 0 }, { "llama", true, 3, 7, 2, 4 },
        { "gemma2", false, 1, 0, 2, 3 }, { "bloom", true, 1, 6, 0, 0 }, { "minicpm3", false, 2, 0, 1, 0 }, { "qwen3", false, 1, 4, 0, 6 },
    };

    // Each document's losses are those of the plain decoder, which masks over all positions by the definition.
    [Theory]
    [MemberData(nameof(Rules))]
    public void ForwardEqualsTheMaskedDecoder(string name, bool see, int each, int longest, int sinks, int last)
    {
        AnchorConfig anchors = s_anchors with { AnchorsSeeAnchors = see, AnchorsPerSegment = each, MaxSegment = longest, Sinks = sinks, LastVisible = last };
        TapeModel model = new(name, batch: 2, anchors: anchors);
        (int[] tokens, int[] targets, int[] starts) = model.Batch(3, twoDocuments: true);
        int time = model.Time, second = starts[time - 1], vocabulary = model.Config.VocabSize;
        model.Tape.Loss.LogProbabilities = new float[2 * time];
        model.Run((tokens, targets, starts), gradients: false);
        Decoder decoder = new(model.Model);
        foreach ((int start, int end) in new[] { (0, second), (second, time), (time, time + second), (time + second, 2 * time) })
        {
            float[] logits = new float[(end - start) * vocabulary];
            decoder.Forward(decoder.CreateState(time), tokens.AsSpan(start, end - start), logits);
            for (int n = start; n < end; n++)
            {
                if (targets[n] < 0)
                    continue;
                ReadOnlySpan<float> row = logits.AsSpan((n - start) * vocabulary, vocabulary);
                Assert.Equal(Skiff.Inference.LogProbability.Of(row, targets[n]), model.Tape.Loss.LogProbabilities[n], 2e-5);
            }
        }
    }

    [Theory]
    [InlineData("llama")]
    [InlineData("gemma2")]
    public void GradientsAreTheSlopesOfTheLoss(string name)
    {
        TapeModel model = new(name, batch: 2, anchors: s_anchors with { AnchorsPerSegment = 2, Sinks = 1, MaxSegment = 6 });
        (int[], int[], int[]) batch = model.Batch(7, twoDocuments: true);
        model.Run(batch, gradients: true);
        foreach (TrainingParameter own in model.Parameters.All)
        {
            float[] gradient = own.Gradient!.Floats().ToArray(), kept = own.Value.Floats().ToArray();
            double length = Math.Sqrt(gradient.Sum(g => (double)g * g));
            if (length < 1e-5)
                continue;
            double step = 3e-3 / Math.Max(length, 0.05), slope = (8 * (At(step) - At(-step)) - (At(2 * step) - At(-2 * step))) / (12 * step);
            kept.CopyTo(own.Value.Floats());
            Assert.True(Math.Abs(slope - length) < 0.01 * length + 2e-5, $"{own.Parameter.Name}: slope {slope:g5}, gradient {length:g5}");

            double At(double distance)
            {
                Span<float> values = own.Value.Floats();
                for (int i = 0; i < values.Length; i++)
                    values[i] = (float)(kept[i] + distance * gradient[i] / length);
                return model.Run(batch, gradients: false);
            }
        }
    }

    [Fact]
    public void AShareOfTheRowsSeesEverythingAndTheSameOnesEachTime()
    {
        TapeModel dual = new("llama", batch: 4, anchors: s_anchors, fullShare: 0.5), strict = new("llama", batch: 4, anchors: s_anchors), full = new("llama", batch: 4);
        int seen = 0, rows = 0;
        for (int step = 0; step < 20; step++)
        {
            (int[], int[], int[]) batch = dual.Batch(step, twoDocuments: false);
            float[] own = Rows(dual, batch, 4 * step), masked = Rows(strict, batch, 4 * step), causal = Rows(full, batch, 4 * step);
            Assert.Equal(own, Rows(dual, batch, 4 * step));
            for (int b = 0; b < 4; b++)
            {
                Range row = (b * dual.Time)..((b + 1) * dual.Time);
                bool isFull = own[row].SequenceEqual(causal[row]);
                Assert.True(isFull || own[row].SequenceEqual(masked[row]));
                seen += isFull ? 1 : 0;
                rows++;
            }

            // What is only measured on goes by the rule.
            Assert.Equal(masked, Rows(dual, batch, -1));
        }

        Assert.InRange(seen, rows / 4, rows * 3 / 4);
    }

    [Fact]
    public void AnAddedTokensRowBeginsAsTheMeanOrAsACopy()
    {
        Model model = new TapeModel("llama", batch: 1).Model;
        int vocabulary = model.Config.VocabSize;
        float[][] rows = [.. Enumerable.Range(0, vocabulary).Select(id => Row(model.Parameter("embedding.weight"), id))];
        Tensor mean = new AddedRow(model, vocabulary + 1, vocabulary, null).Parameter("embedding.weight"), copy = new AddedRow(model, vocabulary + 1, vocabulary, 3).Parameter("embedding.weight");
        Assert.Equal((vocabulary + 1, vocabulary + 1), (mean.Rows, copy.Rows));
        for (int id = 0; id < vocabulary; id++)
            Assert.Equal(rows[id], Row(mean, id));
        Assert.Equal(rows[3], Row(copy, vocabulary));
        for (int i = 0; i < rows[0].Length; i++)
            Assert.Equal(rows.Average(row => (double)row[i]), Row(mean, vocabulary)[i], 1e-6);
        // In a row that only filled up, the token that stood there is no part of the mean.
        Tensor spare = new AddedRow(model, vocabulary, vocabulary - 1, null).Parameter("embedding.weight");
        Assert.Equal(rows[..^1].Average(row => (double)row[0]), Row(spare, vocabulary - 1)[0], 1e-6);
        Assert.Equal(model.Parameter("layers.0.query.weight").Floats().ToArray(), new AddedRow(model, vocabulary + 1, vocabulary, null).Parameter("layers.0.query.weight").Floats().ToArray());
    }

    private static float[] Row(Tensor table, int row)
    {
        float[] values = new float[table.Columns];
        table.ReadRow(row, values);
        return values;
    }

    private static float[] Rows(TapeModel model, (int[] Tokens, int[] Targets, int[] Starts) batch, long firstRow)
    {
        model.Tape.FirstRow = firstRow;
        model.Tape.Loss.LogProbabilities = new float[batch.Tokens.Length];
        model.Run(batch, gradients: false);
        return model.Tape.Loss.LogProbabilities;
    }
}
