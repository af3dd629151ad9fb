using CsCheck;
using Skiff.Tensors;

namespace Skiff.Tests.Tensors;

public sealed unsafe class BlockDiagonalTests
{
    [Fact]
    public void KernelsAgreeWithTheTwinAndDoNotDependOnThreads()
    {
        Gen.Select(Gen.Int[1, 90], Gen.Int[1, 5], Gen.Int[1, 40], Gen.Bool, Gen.Int[0, 1 << 20]).Sample((rows, blocks, size, accumulate, seed) =>
        {
            Random random = new(seed);
            int width = blocks * size;
            float[] x = Gradients.Values(random, rows * width), dy = Gradients.Values(random, x.Length), weights = Gradients.Values(random, width * size), bias = Gradients.Values(random, width), start = Gradients.Values(random, x.Length);
            float[][] one = Run(1), three = Run(3);
            double[] y = new double[x.Length], dx = new double[x.Length], dWeights = Gradients.Widen(weights), dBias = Gradients.Widen(bias);
            BlockDiagonal.Scalar(Gradients.Widen(x), Gradients.Widen(weights), Gradients.Widen(bias), y);
            BlockDiagonal.ScalarBackward(Gradients.Widen(dy), Gradients.Widen(x), Gradients.Widen(weights), dx, dWeights, dBias);
            for (int i = 0; i < dx.Length && accumulate; i++)
                dx[i] += start[i];
            return one.Zip(three).All(p => p.First.AsSpan().SequenceEqual(p.Second)) && Gradients.Distance(one[0], y) < 2e-6 && Gradients.Distance(one[1], dx) < 2e-6
                && Gradients.Distance(one[2], dWeights) < 2e-6 && Gradients.Distance(one[3], dBias) < 2e-6;

            float[][] Run(int threads)
            {
                using ThreadTeam team = new(threads);
                float[] result = new float[x.Length], change = [.. start], weightChange = [.. weights], biasChange = [.. bias];
                fixed (float* px = x, py = result, pd = dy, pc = change, pw = weights, tw = weightChange)
                {
                    MatrixView input = new(px, rows, width), matrix = new(pw, width, size);
                    BlockDiagonal.Forward(input, matrix, bias, new MatrixView(py, rows, width), team);
                    BlockDiagonal.Backward(new MatrixView(pd, rows, width), input, matrix, new MatrixView(pc, rows, width), new MatrixView(tw, width, size), biasChange, accumulate, team);
                }

                return [result, change, weightChange, biasChange];
            }
        }, iter: 40);
    }

    [Fact]
    public void TheTwinsGradientsAreThoseOfFiniteDifferences()
    {
        const int Rows = 3, Width = 6, Size = 2;
        Random random = new(8);
        double[] x = Gradients.Widen(Gradients.Values(random, Rows * Width)), dy = Gradients.Widen(Gradients.Values(random, x.Length));
        double[] weights = Gradients.Widen(Gradients.Values(random, Width * Size)), bias = Gradients.Widen(Gradients.Values(random, Width));
        double[] dx = new double[x.Length], dWeights = new double[weights.Length], dBias = new double[Width];
        BlockDiagonal.ScalarBackward(dy, x, weights, dx, dWeights, dBias);
        Assert.True(Gradients.Error(x, dx, Loss) < 1e-5);
        Assert.True(Gradients.Error(weights, dWeights, Loss) < 1e-5);
        Assert.True(Gradients.Error(bias, dBias, Loss) < 1e-5);

        double Loss()
        {
            double[] y = new double[x.Length];
            BlockDiagonal.Scalar(x, weights, bias, y);
            return Gradients.Dot(dy, y);
        }
    }
}
