using System.Numerics;
using CsCheck;
using Skiff.Tensors;

namespace Skiff.Tests.Tensors;

public sealed unsafe class FeedForwardActivationTests
{
    public static TheoryData<Activation> All => [.. Enum.GetValues<Activation>()];

    [Theory]
    [MemberData(nameof(All))]
    public void KernelsAgreeWithTheTwinAndDoNotDependOnThreads(Activation activation)
    {
        Gen.Select(Gen.Int[1, 40], Gen.Int[1, 700], Gen.Bool, Gen.Int[0, 1 << 20]).Sample((rows, columns, gated, seed) =>
        {
            Random random = new(seed);
            int count = rows * columns;
            float[] dh = Gradients.Values(random, count), gate = Gradients.Values(random, count, 8), up = Gradients.Values(random, count);
            float[][] one = Run(1), three = Run(3);
            double[] eh = new double[count], eg = new double[count], eu = new double[count];
            for (int i = 0; i < count; i++)
            {
                (double value, double slope) = FeedForwardActivation.Scalar(activation, gate[i]);
                double u = gated ? up[i] : 1;
                (eh[i], eg[i], eu[i]) = (value * u, dh[i] * u * slope, gated ? dh[i] * value : 0);
            }

            return one.Zip(three).All(p => p.First.AsSpan().SequenceEqual(p.Second))
                && Gradients.Distance(one[0], eh) < 1e-6 && Gradients.Distance(one[1], eg) < 2e-6 && Gradients.Distance(one[2], eu) < 1e-6;

            float[][] Run(int threads)
            {
                using ThreadTeam team = new(threads);
                float[] h = new float[count], dGate = new float[count], dUp = new float[count];
                fixed (float* ph = h, pg = gate, pu = up, pd = dh, tg = dGate, tu = dUp)
                {
                    MatrixView g = new(pg, rows, columns), u = new(pu, rows, columns);
                    FeedForwardActivation.Forward(activation, g, gated ? u : null, new MatrixView(ph, rows, columns), team);
                    FeedForwardActivation.Backward(
                        activation, new MatrixView(pd, rows, columns), g, gated ? u : null, new MatrixView(tg, rows, columns), gated ? new MatrixView(tu, rows, columns) : null, team);
                }

                return [h, dGate, dUp];
            }
        }, iter: 20);
    }

    [Theory]
    [MemberData(nameof(All))]
    public void TheTwinsSlopeIsThatOfFiniteDifferences(Activation activation)
    {
        // Away from the kink of relu, and from the far tail where 1 + tanh leaves a double too few digits for differences.
        foreach (double at in (double[])[-3.3, -2.1, -0.7, -0.01, 0.013, 0.4, 1.9, 5.5])
        {
            double[] x = [at], slope = [FeedForwardActivation.Scalar(activation, at).Slope];
            Assert.True(Gradients.Error(x, slope, () => FeedForwardActivation.Scalar(activation, x[0]).Value) < 1e-5, $"at {at}");
        }
    }

    [Fact]
    public void FunctionsAreAsExactAsDocumented()
    {
        double exp = 0, sigmoid = 0, tanh = 0, tail = 0, integral = 0;
        for (double at = -86.5; at < 88.5; at += 0.00137)
        {
            float x = (float)at;
            Vector<float> v = new(x);
            exp = Math.Max(exp, Math.Abs(VectorFunctions.Exp(v)[0] / Math.Exp(x) - 1));
            sigmoid = Math.Max(sigmoid, Math.Abs(VectorFunctions.Sigmoid(v)[0] / Elementwise.Sigmoid(x) - 1));
            tanh = Math.Max(tanh, Math.Abs(VectorFunctions.Tanh(v)[0] / Math.Tanh(x) - 1));
            double phi = 0.5 * (1 + Elementwise.ErrorFunction(x / Math.Sqrt(2))), difference = Math.Abs(VectorFunctions.NormalIntegral(v, out _)[0] - phi);
            integral = Math.Max(integral, difference);
            if (x > -5)
                tail = Math.Max(tail, difference / phi);
        }

        TestContext.Current.TestOutputHelper?.WriteLine($"exp {exp:g3} sigmoid {sigmoid:g3} tanh {tanh:g3} integral {integral:g3} tail {tail:g3}");
        Assert.True(exp < 2e-7 && sigmoid < 3e-7 && tanh < 3e-7 && integral < 3e-7 && tail < 1e-6, $"exp {exp:g3} sigmoid {sigmoid:g3} tanh {tanh:g3} integral {integral:g3} tail {tail:g3}");
        Assert.Equal(0f, VectorFunctions.Exp(new Vector<float>(-200f))[0]);
        Assert.Equal(float.PositiveInfinity, VectorFunctions.Exp(new Vector<float>(200f))[0]);
        Assert.True(float.IsNaN(VectorFunctions.Exp(new Vector<float>(float.NaN))[0]));
        Assert.Equal(-1f, VectorFunctions.Tanh(new Vector<float>(float.NegativeInfinity))[0]);
    }
}
