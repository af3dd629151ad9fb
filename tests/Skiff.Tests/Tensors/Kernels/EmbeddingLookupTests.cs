using CsCheck;
using Skiff.Tensors;

namespace Skiff.Tests.Tensors;

public sealed unsafe class EmbeddingLookupTests
{
    [Fact]
    public void RowsAndTheirGradientsHaveTheTwinsBitsForAnyNumberOfThreads()
    {
        Gen.Select(Gen.Int[0, 200], Gen.Int[1, 300], Gen.Int[1, 30], Gen.Int[0, 1 << 20]).Sample((tokens, d, vocabulary, seed) =>
        {
            Random random = new(seed);
            int[] ids = [.. Enumerable.Range(0, tokens).Select(_ => random.Next(vocabulary))];
            float[] table = Gradients.Values(random, vocabulary * d), dTable = [.. table], twin = [.. table], y = new float[tokens * d], expected = new float[y.Length];
            using ThreadTeam team = new(3);
            fixed (float* pt = table, pg = dTable, py = y)
            {
                EmbeddingLookup.Forward(new MatrixView(pt, vocabulary, d), ids, 1.7f, new MatrixView(py, tokens, d), team);
                EmbeddingLookup.Backward(new MatrixView(py, tokens, d), ids, 1.7f, new MatrixView(pg, vocabulary, d), team);
            }

            EmbeddingLookup.Scalar<float>(table, d, ids, 1.7f, expected);
            EmbeddingLookup.ScalarBackward<float>(expected, d, ids, 1.7f, twin);
            return y.AsSpan().SequenceEqual(expected) && dTable.AsSpan().SequenceEqual(twin);
        }, iter: 40);
    }

    [Fact]
    public void TheTwinsGradientIsThatOfFiniteDifferences()
    {
        int[] ids = [2, 0, 2];
        double[] table = [.. Gradients.Widen(Gradients.Values(new Random(1), 9))], dy = [.. Gradients.Widen(Gradients.Values(new Random(2), 9))], dTable = new double[9], y = new double[9];
        EmbeddingLookup.ScalarBackward<double>(dy, 3, ids, 1.7, dTable);
        Assert.True(Gradients.Error(table, dTable, Loss) < 1e-5);

        double Loss()
        {
            EmbeddingLookup.Scalar<double>(table, 3, ids, 1.7, y);
            return Gradients.Dot(dy, y);
        }
    }

    [Fact]
    public void AddingScaledHasTheTwinsBitsAndItsGradients()
    {
        Gen.Select(Gen.OneOf(Gen.Int[0, 70], Gen.Int[32_700, 70_000]), Gen.Int[0, 1 << 20]).Sample((count, seed) =>
        {
            Random random = new(seed);
            float[] x = Gradients.Values(random, count), y = Gradients.Values(random, count), twin = new float[count], apart = new float[count], over = [.. x], kept = [.. y];
            using ThreadTeam team = new(3);
            AddScaled.Scalar<float>(y, x, 0.37f, twin);
            AddScaled.Apply(y, x, 0.37f, apart, team);
            AddScaled.Apply(y, over, 0.37f, over, team);
            bool unchanged = y.AsSpan().SequenceEqual(kept);
            AddScaled.Apply(y, x, 0.37f, team);
            return unchanged && y.AsSpan().SequenceEqual(twin) && apart.AsSpan().SequenceEqual(twin) && over.AsSpan().SequenceEqual(twin);
        }, iter: 30);
        double[] input = [0.4, -0.2], dy = [0.9, 0.3], dx = [0, 0];
        AddScaled.Scalar<double>(dx, dy, 0.37, dx);
        Assert.True(Gradients.Error(input, dx, Loss) < 1e-5);

        double Loss()
        {
            double[] sum = new double[2];
            AddScaled.Scalar<double>([1, 2], input, 0.37, sum);
            return Gradients.Dot(dy, sum);
        }
    }
}
