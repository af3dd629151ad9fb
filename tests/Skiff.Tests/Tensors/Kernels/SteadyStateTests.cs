using Skiff.Tensors;

namespace Skiff.Tests.Tensors;

public sealed unsafe class SteadyStateTests
{
    [Fact]
    public void RepeatedKernelsAllocateNothingOnTheCallersThread()
    {
        const int Rows = 50, Columns = 96;
        float[] a = new float[Rows * Columns], b = new float[a.Length], head = new float[300 * Columns], gain = new float[Columns], statistic = new float[Rows];
        float[] scratch = new float[LinearCrossEntropy.ScratchLength(Rows, 300)];
        int[] ids = [.. Enumerable.Range(0, Rows)];
        const int Experts = 48, Chosen = 2;
        float[] shares = new float[Rows * Experts], weights = new float[Rows * Chosen], slots = new float[Rows * Chosen * Columns];
        int[] experts = new int[weights.Length], tokens = new int[weights.Length], places = new int[weights.Length], starts = new int[Experts + 1];
        // Zeros have no direction, and Muon would leave its products out.
        float[] muonScratch = new float[MuonStep.ScratchLength(Rows, Columns)], muonGradient = Gradients.Values(new Random(1), a.Length);
        MuonSettings muon = new();
        RotaryEmbedding rotary = new(Rows, [1, 0.1, 0.01]);
        using ThreadTeam alone = new(1);
        fixed (float* pa = a, pb = b, ph = head, ps = slots, pm = muonGradient)
        {
            MatrixView x = new(pa, Rows, Columns), y = new(pb, Rows, Columns), table = new(ph, 300, Columns), logits = x.Block(0, Rows, 0, Experts), slotRows = new(ps, Rows * Chosen, Columns), gradient = new(pm, Rows, Columns);
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
                LinearCrossEntropy.Compute(x, table, ids, 1, 0, 1, y, table, statistic, scratch, alone);
                ExpertRouting.Forward(logits, Chosen, shares, experts, weights, tokens, places, starts, alone);
                ExpertRouting.Losses(logits, Chosen, shares, experts, starts, alone);
                ExpertRouting.Backward(logits, Chosen, shares, experts, weights, weights, starts, 0.01, 0.001, logits, alone);
                ExpertRows.Gather(x, tokens, slotRows, alone);
                ExpertRows.Combine(slotRows, weights, places, y, alone);
                ExpertRows.CombineBackward(y, slotRows, weights, places, slotRows, weights, alone);
                ExpertRows.GatherBackward(slotRows, places, x, false, alone);
                MuonStep.Apply(x, gradient, table.Block(0, Rows, 0, Columns), muon, 0.01, muonScratch, 1, alone);
            }
        }
    }
}
