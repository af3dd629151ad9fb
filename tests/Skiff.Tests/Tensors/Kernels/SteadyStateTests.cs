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
        RotaryEmbedding rotary = new(Rows, [1, 0.1, 0.01]);
        using ThreadTeam alone = new(1);
        fixed (float* pa = a, pb = b, ph = head)
        {
            MatrixView x = new(pa, Rows, Columns), y = new(pb, Rows, Columns), table = new(ph, 300, Columns);
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
            }
        }
    }
}
