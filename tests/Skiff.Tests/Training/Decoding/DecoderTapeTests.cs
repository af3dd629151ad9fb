using Skiff.Models;
using Skiff.Tensors;
using Skiff.Tests.Models;
using Skiff.Training;

namespace Skiff.Tests.Training;

public sealed class DecoderTapeTests
{
    public static TheoryData<string> Families => [.. GoldenModel.Names];

    // Every log-probability, found by asking for one id of the vocabulary after the other.
    [Theory]
    [MemberData(nameof(Families))]
    public void ForwardEqualsTheReferenceDecoder(string name)
    {
        TapeModel model = new(name, batch: 2);
        int time = model.Time, vocabulary = model.Config.VocabSize, second = time / 3;
        int[] tokens = [.. model.Golden.Tokens, .. model.Golden.Tokens.Reverse()], targets = new int[2 * time], starts = new int[2 * time];
        starts.AsSpan(time + second, time - second).Fill(second);
        double[][] expected = [.. Reference(tokens[..time]), .. Reference(tokens[time..(time + second)]), .. Reference(tokens[(time + second)..])];
        model.Tape.Loss.LogProbabilities = new float[2 * time];
        double worst = 0;
        for (int v = 0; v < vocabulary; v++)
        {
            Array.Fill(targets, v);
            model.Run((tokens, targets, starts), gradients: false);
            for (int n = 0; n < targets.Length; n++)
                worst = Math.Max(worst, Math.Abs(model.Tape.Loss.LogProbabilities[n] - expected[n][v]));
        }

        double scale = Math.Max(1, expected.Max(row => row.Max(Math.Abs)) / 10);
        Assert.True(worst < 1e-5 * scale, $"{name}: off by {worst:g3} of log-probabilities down to {-10 * scale:g3}");

        double[][] Reference(int[] document)
        {
            Decoder decoder = new(model.Model);
            float[] logits = new float[document.Length * vocabulary];
            // Some rotations look at the length that a sequence is going to have.
            decoder.Forward(decoder.CreateState(time), document, logits);
            return [.. logits.Chunk(vocabulary).Select(row =>
            {
                double most = row.Max(), sum = Math.Log(row.Sum(z => Math.Exp(z - most))) + most;
                return row.Select(z => z - sum).ToArray();
            })];
        }
    }

    // The slope of the loss along each parameter's own gradient is the gradient's length.
    [Theory]
    [MemberData(nameof(Families))]
    public void GradientsAreTheSlopesOfTheLoss(string name)
    {
        TapeModel model = new(name, batch: 2);
        (int[], int[], int[]) batch = model.Batch(7, twoDocuments: true);
        model.Run(batch, gradients: true);
        // Where the loss has kinks a step must be short enough to meet none, and then rounding shows.
        bool kinks = model.Config.HiddenAct is Activation.Relu or Activation.Relu2 || model.Config.ClipQkv > 0 || model.Config.NumLocalExperts > 0;
        foreach (TrainingParameter own in model.Parameters.All)
        {
            float[] gradient = own.Gradient!.Floats().ToArray(), kept = own.Value.Floats().ToArray();
            double length = Math.Sqrt(gradient.Sum(g => (double)g * g));
            if (length < 1e-5)
                continue;
            double step = (kinks ? 2e-4 : 3e-3) / Math.Max(length, 0.05);
            double slope = (8 * (At(step) - At(-step)) - (At(2 * step) - At(-2 * step))) / (12 * step);
            kept.CopyTo(own.Value.Floats());
            Assert.True(Math.Abs(slope - length) < 0.01 * length + (kinks ? 1e-3 : 2e-5), $"{name}, {own.Parameter.Name}: slope {slope:g5}, gradient {length:g5}");

            double At(double distance)
            {
                Span<float> values = own.Value.Floats();
                for (int i = 0; i < values.Length; i++)
                    values[i] = (float)(kept[i] + distance * gradient[i] / length);
                double loss = model.Run(batch, gradients: false);
                return loss + model.Tape.ExpertLosses.Sum(e => e.BalanceCoefficient * e.Balance + e.ZCoefficient * e.Z);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Families))]
    public void RecomputedBlocksAndMoreThreadsGiveTheSameBits(string name)
    {
        using ThreadTeam one = new(1), three = new(3);
        TapeModel kept = new(name, 2, recompute: false, one), again = new(name, 2, recompute: true, three);
        (int[], int[], int[]) batch = kept.Batch(3, twoDocuments: true);
        Assert.Equal(kept.Run(batch, gradients: true), again.Run(batch, gradients: true));
        Assert.True(kept.Parameters.Gradients.Floats().SequenceEqual(again.Parameters.Gradients.Floats()), name);
    }

    [Fact]
    public void RecomputationNeedsLessMemory()
    {
        long kept = new TapeModel("llama", 2).Tape.ByteLength, again = new TapeModel("llama", 2, recompute: true).Tape.ByteLength;
        Assert.True(again < kept, $"{again} of {kept} bytes");
    }
}
