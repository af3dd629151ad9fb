using CsCheck;
using Skiff.Tensors;

namespace Skiff.Tests.Tensors;

public sealed unsafe class ShortConvolutionTests
{
    [Fact]
    public void KernelsAgreeWithTheTwinAndDoNotDependOnThreads()
    {
        Gen.Select(Gen.Int[1, 4], Gen.Int[1, 60], Gen.Int[1, 70], Gen.Int[1, 5], Gen.Int[0, 1 << 20]).Sample((batch, time, width, taps, seed) =>
        {
            Random random = new(seed);
            int rows = batch * time, gap = random.Next(3);
            int[] starts = PackedDocuments.Starts(random, batch, time);
            float[] x = Gradients.Values(random, rows * (width + gap)), dy = Gradients.Values(random, rows * width), weights = Gradients.Values(random, width * taps), bias = Gradients.Values(random, width);
            float[][] one = Run(1), three = Run(3);
            double[] input = Gradients.Widen([.. x.Where((_, i) => i % (width + gap) < width)]), w = Gradients.Widen(weights), gradient = Gradients.Widen(dy);
            double[] y = new double[dy.Length], dx = new double[dy.Length], dWeights = Gradients.Widen(weights), dBias = Gradients.Widen(bias);
            ShortConvolution.Scalar(input, w, Gradients.Widen(bias), starts, time, y);
            ShortConvolution.ScalarBackward(gradient, input, w, starts, time, dx, dWeights, dBias);
            return one.Zip(three).All(p => p.First.AsSpan().SequenceEqual(p.Second)) && Gradients.Distance(one[0], y) < 1e-6 && Gradients.Distance(one[1], dx) < 1e-6
                && Gradients.Distance(one[2], dWeights) < 2e-6 && Gradients.Distance(one[3], dBias) < 2e-6;

            float[][] Run(int threads)
            {
                using ThreadTeam team = new(threads);
                float[] result = new float[dy.Length], change = new float[dy.Length], weightChange = [.. weights], biasChange = [.. bias];
                fixed (float* px = x, py = result, pd = dy, pc = change)
                {
                    MatrixView view = new(px, rows, width, width + gap);
                    ShortConvolution.Forward(view, weights, bias, starts, time, new MatrixView(py, rows, width), team);
                    ShortConvolution.Backward(new MatrixView(pd, rows, width), view, weights, starts, time, new MatrixView(pc, rows, width), weightChange, biasChange, team);
                }

                return [result, change, weightChange, biasChange];
            }
        }, iter: 50);
    }

    [Fact]
    public void TheTwinsGradientsAreThoseOfFiniteDifferences()
    {
        const int Width = 3, Taps = 4, Time = 7;
        int[] starts = [0, 0, 0, 0, 0, 5, 5, 0, 1, 1, 1, 1, 1, 1];
        Random random = new(4);
        double[] x = Gradients.Widen(Gradients.Values(random, starts.Length * Width)), dy = Gradients.Widen(Gradients.Values(random, x.Length));
        double[] weights = Gradients.Widen(Gradients.Values(random, Width * Taps)), bias = Gradients.Widen(Gradients.Values(random, Width));
        double[] dx = new double[x.Length], dWeights = new double[weights.Length], dBias = new double[Width];
        ShortConvolution.ScalarBackward(dy, x, weights, starts, Time, dx, dWeights, dBias);
        Assert.True(Gradients.Error(x, dx, Loss) < 1e-5);
        Assert.True(Gradients.Error(weights, dWeights, Loss) < 1e-5);
        Assert.True(Gradients.Error(bias, dBias, Loss) < 1e-5);

        double Loss()
        {
            double[] y = new double[x.Length];
            ShortConvolution.Scalar(x, weights, bias, starts, Time, y);
            return Gradients.Dot(dy, y);
        }
    }

    [Fact]
    public void DocumentStartsThatCannotBeAreRefused()
    {
        float[] values = new float[8], y = new float[8];
        fixed (float* p = values, q = y)
        {
            MatrixView x = new(p, 4, 2), target = new(q, 4, 2);
            foreach (int[] starts in new int[][] { [1, 1, 1, 1], [0, 0, 1, 1], [0, 0, 3, 3], [0, 1, 0, 0], [0, -1, 0, 0] })
                Assert.Throws<ArgumentOutOfRangeException>(() => ShortConvolution.Forward(x, new float[6], new float[2], starts, 4, target));
            Assert.Throws<ArgumentException>(() => ShortConvolution.Forward(x, new float[6], new float[2], [0, 0, 0, 0], 3, target));
            Assert.Throws<ArgumentException>(() => ShortConvolution.Forward(x, new float[5], new float[2], [0, 0, 0, 0], 4, target));
            ShortConvolution.Forward(x, new float[6], new float[2], [0, 0, 0, 1], 2, target);
        }
    }
}
