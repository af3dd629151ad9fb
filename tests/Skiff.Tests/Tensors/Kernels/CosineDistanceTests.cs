using CsCheck;
using Skiff.Tensors;

namespace Skiff.Tests.Tensors;

public sealed unsafe class CosineDistanceTests
{
    [Fact]
    public void DistanceAndGradientAgreeWithTheTwinAndDoNotDependOnThreads()
    {
        Gen.Select(Gen.Int[1, 20], Gen.Int[1, 70], Gen.Bool, Gen.Int[0, 1 << 20]).Sample((rows, columns, accumulate, seed) =>
        {
            Random random = new(seed);
            float[] a = Gradients.Values(random, rows * columns), b = Gradients.Values(random, rows * columns), start = Gradients.Values(random, rows * columns);
            int[] targets = [.. Enumerable.Range(0, rows).Select(_ => random.Next(-1, 3))];
            double sum = 0;
            double[] gradient = accumulate ? Gradients.Widen(start) : new double[a.Length];
            for (int n = 0; n < rows; n++)
            {
                Range row = (n * columns)..((n + 1) * columns);
                sum += targets[n] == -1 ? 0 : CosineDistance.Scalar(Gradients.Widen(a[row]), Gradients.Widen(b[row]), 0.7, gradient.AsSpan(row));
            }

            (double one, float[] pulled) = Run(1);
            (double three, float[] again) = Run(3);
            return one.Equals(three) && pulled.AsSpan().SequenceEqual(again) && Math.Abs(one - sum) <= 1e-6 * (1 + sum) && Gradients.Distance(pulled, gradient) < 5e-6;

            (double, float[]) Run(int threads)
            {
                using ThreadTeam team = new(threads);
                float[] d = [.. start], factors = new float[2 * rows];
                fixed (float* pa = a, pb = b, pd = d)
                {
                    MatrixView left = new(pa, rows, columns), right = new(pb, rows, columns);
                    double result = CosineDistance.Forward(left, right, targets, factors, team);
                    CosineDistance.Backward(left, right, factors, 0.7f, new MatrixView(pd, rows, columns), accumulate, team);
                    return (result, d);
                }
            }
        }, iter: 100);
    }

    [Fact]
    public void TheTwinsGradientIsThatOfFiniteDifferences()
    {
        Random random = new(4);
        double[] a = Gradients.Widen(Gradients.Values(random, 7)), b = Gradients.Widen(Gradients.Values(random, 7)), gradient = new double[7];
        CosineDistance.Scalar(a, b, 1, gradient);
        Assert.True(Gradients.Error(a, gradient, () => CosineDistance.Scalar(a, b, 1, [])) < 1e-6);
    }

    [Fact]
    public void ARowOfZerosPointsNowhereAndWrongSizesAreRefused()
    {
        float[] a = new float[6], b = [1, 2, 3, 4, 5, 6], factors = new float[4], d = new float[6];
        fixed (float* pa = a, pb = b, pd = d)
        {
            MatrixView left = new(pa, 2, 3), right = new(pb, 2, 3), gradient = new(pd, 2, 3), narrow = new(pb, 2, 2);
            Assert.Equal(2, CosineDistance.Forward(left, right, [0, 0], factors));
            CosineDistance.Backward(left, right, factors, 1, gradient, accumulate: false);
            Assert.All(d, value => Assert.Equal(0, value));
            Assert.Throws<ArgumentException>(() => CosineDistance.Forward(left, narrow, [0, 0], factors));
            Assert.Throws<ArgumentException>(() => CosineDistance.Forward(left, right, [0], factors));
            Assert.Throws<ArgumentException>(() => CosineDistance.Forward(left, right, [0, 0], factors.AsSpan(1)));
        }
    }
}
