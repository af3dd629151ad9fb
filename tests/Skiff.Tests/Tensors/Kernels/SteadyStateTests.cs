using Skiff.Tensors;

namespace Skiff.Tests.Tensors;

public sealed unsafe class SteadyStateTests
{
    [Fact]
    public void RepeatedKernelsAllocateNothingOnTheCallersThread()
    {
        const int Rows = 50, Columns = 96;
        float[] a = new float[Rows * Columns], b = new float[a.Length], head = new float[300 * Columns], gain = new float[Columns], statistic = new float[Rows];
        float[] scratch = new float[LinearDistillation.ScratchLength(Rows, 300)], taps = new float[4 * Columns], keys = new float[Rows * 4 * 20], vocabulary = new float[300];
        int[] starts = new int[Rows];
        int[] ids = [.. Enumerable.Range(0, Rows)];
        const int Experts = 48, Chosen = 2;
        float[] shares = new float[Rows * Experts], weights = new float[Rows * Chosen], slots = new float[Rows * Chosen * Columns];
        int[] experts = new int[weights.Length], tokens = new int[weights.Length], places = new int[weights.Length], firsts = new int[Experts + 1];
        // Zeros have no direction, and Muon would leave its products out.
        float[] muonScratch = new float[MuonStep.ScratchLength(Rows, Columns)], muonGradient = Gradients.Values(new Random(1), a.Length);
        MuonSettings muon = new();
        RotaryEmbedding rotary = new(Rows, [1, 0.1, 0.01]);
        using ThreadTeam alone = new(1);
        fixed (float* pa = a, pb = b, ph = head, ps = slots, pm = muonGradient, pk = keys)
        {
            MatrixView x = new(pa, Rows, Columns), y = new(pb, Rows, Columns), table = new(ph, 300, Columns), logits = x.Block(0, Rows, 0, Experts), slotRows = new(ps, Rows * Chosen, Columns), gradient = new(pm, Rows, Columns);
            MatrixView wide = new(pk, Rows, 4 * 20), blocks = new(ph, Columns, 12);
            Once();
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < 5; i++)
                Once();
            Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());

            void Once()
            {
                EmbeddingLookup.Forward(table, ids, 1, x, alone);
                EmbeddingLookup.Backward(x, ids, 1, table, alone);
                Normalization.Forward(x, gain, [], 1, 1e-5, y, statistic, [], alone);
                Normalization.Backward(y, x, gain, 1, statistic, [], y, gain, [], false, alone);
                rotary.Forward(x, 12, ids, 0, alone);
                rotary.Backward(x, 12, ids, 0, alone);
                FeedForwardActivation.Forward(Activation.Gelu, x, y, y, alone);
                FeedForwardActivation.Backward(Activation.Silu, x, x, y, x, y, alone);
                AddScaled.Apply(a, b, 0.5f, alone);
                LinearCrossEntropy.Compute(x, table, ids, 1, 0, 1, y, table, statistic, scratch, alone, vocabulary, vocabulary);
                LogitSource source = new(x, table, vocabulary);
                LinearDistillation.Compute(source, source, ids, new DistillationGoal(Temperature: 2), 1, y, table, vocabulary, scratch, false, alone);
                AddScaled.Apply(a, b, 0.5f, b, alone);
                Bias.Add(x, gain, alone);
                Bias.Backward(x, gain, alone);
                Clip.Apply(x, 1, alone);
                Clip.Backward(x, 1, y, alone);
                RowScale.Apply(x, statistic, alone);
                SharedKeys.Forward(x, y.Block(0, Rows, 0, 8), 4, wide, alone);
                SharedKeys.Backward(wide, 4, x, y.Block(0, Rows, 0, 8), alone);
                ShortConvolution.Forward(x, taps, gain, starts, Rows, y, alone);
                ShortConvolution.Backward(x, x, taps, starts, Rows, y, taps, gain, alone);
                BlockDiagonal.Forward(x, blocks, gain, y, alone);
                BlockDiagonal.Backward(x, x, blocks, y, blocks, gain, false, alone);
                LinearRecurrence.Forward(x, x, x, gain, starts, Rows, y, alone);
                LinearRecurrence.Backward(x, x, x, x, gain, starts, Rows, y, x, x, x, gain, alone);
                ExpertRouting.Forward(logits, Chosen, shares, experts, weights, tokens, places, firsts, alone);
                ExpertRouting.Losses(logits, Chosen, shares, experts, firsts, alone);
                ExpertRouting.Backward(logits, Chosen, shares, experts, weights, weights, firsts, 0.01, 0.001, logits, alone);
                ExpertRows.Gather(x, tokens, slotRows, alone);
                ExpertRows.Combine(slotRows, weights, places, y, alone);
                ExpertRows.CombineBackward(y, slotRows, weights, places, slotRows, weights, alone);
                ExpertRows.GatherBackward(slotRows, places, x, false, alone);
                MuonStep.Apply(x, gradient, table.Block(0, Rows, 0, Columns), muon, 0.01, muonScratch, 1, alone);
            }
        }
    }
}
