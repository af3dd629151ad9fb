using CsCheck;
using Skiff.Tensors;

namespace Skiff.Tests.Tensors;

public sealed unsafe class RotaryEmbeddingTests
{
    [Fact]
    public void TurnsAsTheTwinAndBackwardIsTheTransposedTurn()
    {
        Gen.Select(Gen.Int[1, 60], Gen.Int[1, 5], Gen.Int[1, 40], Gen.Int[0, 9], Gen.Int[0, 1 << 20]).Sample((rows, heads, half, spare, seed) =>
        {
            Random random = new(seed);
            int headDim = 2 * half + spare, offset = random.Next(spare + 1), columns = heads * headDim;
            double[] frequencies = [.. Enumerable.Range(0, half).Select(i => Math.Pow(10000, -(double)i / half))];
            RotaryEmbedding rotary = new(100, frequencies, 1.1);
            int[] positions = [.. Enumerable.Range(0, rows).Select(_ => random.Next(100))];
            float[] x = Gradients.Values(random, rows * columns), dy = Gradients.Values(random, x.Length);
            double[] y = Twin(x, 1), dx = Twin(dy, -1);
            float[][] one = Run(1), three = Run(3);
            // The transpose of a linear map: dy . y = dx . x.
            return one.Zip(three).All(p => p.First.AsSpan().SequenceEqual(p.Second))
                && Gradients.Distance(one[0], y) < 5e-7 && Gradients.Distance(one[1], dx) < 5e-7
                && Math.Abs(Gradients.Dot(Gradients.Widen(dy), y) - Gradients.Dot(dx, Gradients.Widen(x))) < 1e-9;

            double[] Twin(float[] values, int sign)
            {
                double[] result = Gradients.Widen(values);
                for (int group = 0; group < rows * heads; group++)
                    for (int i = 0; i < half; i++)
                    {
                        int at = group * headDim + offset + i;
                        (double sin, double cos) = Math.SinCos(positions[group / heads] * frequencies[i]);
                        (result[at], result[at + half]) = RotaryEmbedding.Scalar(result[at], result[at + half], 1.1 * cos, sign * 1.1 * sin);
                    }

                return result;
            }

            float[][] Run(int threads)
            {
                using ThreadTeam team = new(threads);
                float[] forward = [.. x], backward = [.. dy];
                fixed (float* f = forward, b = backward)
                {
                    rotary.Forward(new MatrixView(f, rows, columns), headDim, positions, offset, team);
                    rotary.Backward(new MatrixView(b, rows, columns), headDim, positions, offset, team);
                }

                return [forward, backward];
            }
        }, iter: 40);
    }

    [Fact]
    public void TheTwinsGradientIsThatOfFiniteDifferences()
    {
        double[] x = [0.3, -0.8], dy = [0.7, 0.2];
        (double sin, double cos) = Math.SinCos(0.9);
        (double first, double second) = RotaryEmbedding.Scalar(dy[0], dy[1], cos, -sin);
        Assert.True(Gradients.Error(x, [first, second], Loss) < 1e-5);

        double Loss()
        {
            (double a, double b) = RotaryEmbedding.Scalar(x[0], x[1], cos, sin);
            return dy[0] * a + dy[1] * b;
        }
    }
}
