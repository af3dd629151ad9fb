using CsCheck;
using Skiff.Tensors;

namespace Skiff.Tests.Tensors;

public sealed unsafe class MuonStepTests
{
    [Fact]
    public void StepsStayBesideDoublePrecisionAndDoNotDependOnThreads()
    {
        Gen.Select(Gen.Int[1, 70], Gen.Int[1, 70], Gen.Bool, Gen.Bool, Gen.Int[0, 1 << 20]).Sample((rows, columns, nesterov, original, seed) =>
        {
            MuonSettings settings = new() { Momentum = 0.9, Nesterov = nesterov, Scale = original ? MuonScale.Original : MuonScale.MatchRmsAdamW };
            double[][] twin = Plain();
            float[][] one = Run(1), three = Run(3);
            return one.Zip(three).All(p => p.First.AsSpan().SequenceEqual(p.Second)) && Gradients.Distance(one[0], twin[0]) < 1e-4 && Gradients.Distance(one[1], twin[1]) < 1e-6;

            float[][] Run(int threads)
            {
                Random random = new(seed);
                float[] p = Gradients.Values(random, rows * columns), m = new float[p.Length], scratch = new float[MuonStep.ScratchLength(rows, columns)];
                using ThreadTeam team = new(threads);
                for (int step = 0; step < 3; step++)
                {
                    float[] g = Gradients.Values(random, p.Length);
                    Step(p, g, m, columns, settings, 0.1, scratch, 0.5f, team);
                }

                return [p, m];
            }

            double[][] Plain()
            {
                Random random = new(seed);
                double[] p = Gradients.Widen(Gradients.Values(random, rows * columns)), m = new double[p.Length];
                for (int step = 0; step < 3; step++)
                    PlainMuon.Step(p, Gradients.Widen(Gradients.Values(random, p.Length)), m, columns, settings, 0.1, 0.5);
                return [p, m];
            }
        }, iter: 30);
    }

    [Fact]
    public void SingularValuesComeCloseToOneOnBothSides()
    {
        // A square matrix of random numbers may have a singular value near 0, which stays small: these have none.
        Gen.Select(Gen.Int[1, 60], Gen.Double[1.6, 4], Gen.Bool, Gen.Double[-30, 30], Gen.Int[0, 1 << 20]).Sample((least, aspect, tall, size, seed) =>
        {
            int most = (int)Math.Ceiling(least * aspect), rows = tall ? most : least, columns = tall ? least : most;
            float[] room = new float[MuonStep.ScratchLength(rows, columns)];
            Gradients.Values(new Random(seed), rows * columns, Math.Pow(10, size)).CopyTo(room, 0);
            double[] matrix = Gradients.Widen(room[..(rows * columns)]), expected = PlainMuon.Orthogonalize(matrix, columns);
            using ThreadTeam team = new(2);
            fixed (float* start = room)
            {
                ReadOnlySpan<float> result = new(MuonStep.Orthogonalize(start, rows, columns, team), rows * columns);
                double[] squares = SquaredSingularValues(Gradients.Widen(result.ToArray()), rows, columns);
                return Gradients.Distance(result.ToArray(), expected) < 1e-5 && squares.All(s => s is > 0.6 * 0.6 and < 1.3 * 1.3);
            }
        }, iter: 25);
    }

    [Fact]
    public void LargeMatricesAreSharedOutWithoutChangingABit()
    {
        const int Rows = 301, Columns = 203;
        float[] start = Gradients.Values(new Random(6), Rows * Columns), g = Gradients.Values(new Random(7), start.Length), scratch = new float[MuonStep.ScratchLength(Rows, Columns)];
        float[] p = [.. start], p2 = [.. start], m = new float[p.Length], m2 = new float[p.Length];
        using ThreadTeam alone = new(1), team = new(3);
        Step(p, g, m, Columns, new MuonSettings(), 0.02, scratch, 1, alone);
        Array.Fill(scratch, float.NaN);
        Step(p2, g, m2, Columns, new MuonSettings(), 0.02, scratch, 1, team);
        Assert.Equal(p, p2);
        Assert.Equal(m, m2);
    }

    [Fact]
    public void StepsHaveTheSizeThatTheScaleStates()
    {
        // An orthogonal matrix's entries have a root mean square of 1 / sqrt(most); singular values end between 0.67 and 1.21.
        foreach ((int rows, int columns) in new[] { (40, 120), (120, 40) })
        {
            double original = Math.Sqrt(Math.Max(1, (double)rows / columns) / 120);
            Assert.InRange(RootMeanSquare(MuonScale.Original, rows, columns) / original, 0.67, 1.21);
            Assert.InRange(RootMeanSquare(MuonScale.MatchRmsAdamW, rows, columns) / 0.2, 0.67, 1.21);
        }

        static double RootMeanSquare(MuonScale scale, int rows, int columns)
        {
            float[] p = new float[rows * columns], g = Gradients.Values(new Random(8), p.Length, 1e-3);
            Step(p, g, new float[p.Length], columns, new MuonSettings { Scale = scale }, 1, new float[MuonStep.ScratchLength(rows, columns)]);
            return Math.Sqrt(p.Average(v => (double)v * v));
        }
    }

    [Fact]
    public void RowsMayLieApartZeroGradientsDecayAndNotANumberShows()
    {
        float[] wide = [2, 2, 7, 2, 2, 7], m = new float[4], scratch = new float[MuonStep.ScratchLength(2, 2)];
        Array.Fill(scratch, float.NaN);
        float[] g = new float[4];
        fixed (float* p = wide, pg = g, pm = m)
        {
            MatrixView parameters = new(p, 2, 2, 3), gradients = new(pg, 2, 2), momentum = new(pm, 2, 2);
            MuonStep.Apply(parameters, gradients, momentum, new MuonSettings { WeightDecay = 0.5 }, 0.1, scratch);
            Assert.All(new[] { 0, 1, 3, 4 }, i => Assert.Equal(1.9f, wide[i], 6));
            g[3] = float.NaN;
            MuonStep.Apply(parameters, gradients, momentum, new MuonSettings(), 0.1, scratch);
            Assert.All(new[] { 0, 1, 3, 4 }, i => Assert.True(float.IsNaN(wide[i])));
            Assert.Equal((7f, 7f), (wide[2], wide[5]));
        }
    }

    [Fact]
    public void WrongSizesAndSettingsAreRefused()
    {
        float[] values = new float[6], scratch = new float[MuonStep.ScratchLength(2, 3)];
        fixed (float* p = values)
        {
            MatrixView matrix = new(p, 2, 3), other = new(p, 3, 2);
            Assert.Equal(20, scratch.Length);
            Assert.Throws<ArgumentException>(() => MuonStep.Apply(matrix, other, matrix, new MuonSettings(), 0.1, scratch));
            Assert.Throws<ArgumentException>(() => MuonStep.Apply(matrix, matrix, other, new MuonSettings(), 0.1, scratch));
            Assert.Throws<ArgumentException>(() => MuonStep.Apply(other.Transposed, other.Transposed, other.Transposed, new MuonSettings(), 0.1, scratch));
            Assert.Throws<ArgumentException>(() => MuonStep.Apply(matrix, matrix, matrix, new MuonSettings(), 0.1, scratch.AsSpan(1)));
            Assert.Throws<ArgumentOutOfRangeException>(() => MuonStep.Apply(matrix, matrix, matrix, new MuonSettings { Momentum = 1 }, 0.1, scratch));
            Assert.Throws<ArgumentOutOfRangeException>(() => MuonStep.Apply(matrix, matrix, matrix, new MuonSettings { Scale = (MuonScale)9 }, 0.1, scratch));
        }
    }

    private static void Step(
        float[] p, float[] g, float[] m, int columns, MuonSettings settings, double rate, float[] scratch, float gradientScale = 1, ThreadTeam? team = null)
    {
        fixed (float* pp = p, pg = g, pm = m)
        {
            int rows = p.Length / columns;
            MuonStep.Apply(new MatrixView(pp, rows, columns), new MatrixView(pg, rows, columns), new MatrixView(pm, rows, columns), settings, rate, scratch, gradientScale, team);
        }
    }

    // Eigenvalues of the smaller product of the matrix with itself, by Jacobi's rotations.
    private static double[] SquaredSingularValues(double[] matrix, int rows, int columns)
    {
        int n = Math.Min(rows, columns);
        double[,] s = new double[n, n];
        for (int i = 0; i < n; i++)
            for (int j = 0; j < n; j++)
                for (int k = 0; k < Math.Max(rows, columns); k++)
                    s[i, j] += rows <= columns ? matrix[i * columns + k] * matrix[j * columns + k] : matrix[k * columns + i] * matrix[k * columns + j];
        for (int sweep = 0; sweep < 12; sweep++)
        {
            for (int i = 0; i < n; i++)
            {
                for (int j = i + 1; j < n; j++)
                {
                    double angle = 0.5 * Math.Atan2(2 * s[i, j], s[i, i] - s[j, j]), cos = Math.Cos(angle), sin = Math.Sin(angle);
                    for (int k = 0; k < n; k++)
                        (s[k, i], s[k, j]) = (cos * s[k, i] + sin * s[k, j], cos * s[k, j] - sin * s[k, i]);
                    for (int k = 0; k < n; k++)
                        (s[i, k], s[j, k]) = (cos * s[i, k] + sin * s[j, k], cos * s[j, k] - sin * s[i, k]);
                }
            }
        }

        for (int i = 0; i < n; i++)
            for (int j = 0; j < n; j++)
                Assert.True(i == j || Math.Abs(s[i, j]) < 1e-9);
        return [.. Enumerable.Range(0, n).Select(i => s[i, i])];
    }
}
