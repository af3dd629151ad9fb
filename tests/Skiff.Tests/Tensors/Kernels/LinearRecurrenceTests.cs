using CsCheck;
using Skiff.Tensors;

namespace Skiff.Tests.Tensors;

public sealed unsafe class LinearRecurrenceTests
{
    [Fact]
    public void KernelsAgreeWithTheTwinAndDoNotDependOnThreads()
    {
        Gen.Select(Gen.Int[1, 4], Gen.Int[1, 60], Gen.Int[1, 150], Gen.Bool, Gen.Int[0, 1 << 20]).Sample((batch, time, width, inPlace, seed) =>
        {
            Random random = new(seed);
            int rows = batch * time, count = rows * width;
            int[] starts = PackedDocuments.Starts(random, batch, time);
            float[] x = Gradients.Values(random, count), i = Gradients.Values(random, count, 4), r = Gradients.Values(random, count, 4), dh = Gradients.Values(random, count);
            // From a strong decay to one of 1 - 1e-3 a step.
            float[] decay = [.. Gradients.Values(random, width, 5).Select(v => v - 4)];
            float[][] one = Run(1), three = Run(3);
            double[] h = new double[count], dx = new double[count], di = new double[count], dr = new double[count], da = Gradients.Widen(decay);
            PlainLinearRecurrence.Forward(Gradients.Widen(x), Gradients.Widen(i), Gradients.Widen(r), Gradients.Widen(decay), starts, time, h);
            PlainLinearRecurrence.Backward(Gradients.Widen(dh), Gradients.Widen(x), Gradients.Widen(i), Gradients.Widen(r), Gradients.Widen(decay), starts, time, h, dx, di, dr, da);
            return one.Zip(three).All(p => p.First.AsSpan().SequenceEqual(p.Second)) && Gradients.Distance(one[0], h) < 2e-6 && Gradients.Distance(one[1], dx) < 4e-6
                && Gradients.Distance(one[2], di) < 4e-6 && Gradients.Distance(one[3], dr) < 4e-6 && Gradients.Distance(one[4], da) < 4e-6;

            float[][] Run(int threads)
            {
                using ThreadTeam team = new(threads);
                float[] h = new float[count], dx = inPlace ? [.. x] : new float[count], di = inPlace ? [.. i] : new float[count], dr = inPlace ? [.. r] : new float[count], da = [.. decay];
                fixed (float* px = x, pi = i, pr = r, pg = dh, ph = h, tx = dx, ti = di, tr = dr)
                {
                    MatrixView result = new(ph, rows, width), xs = new(inPlace ? tx : px, rows, width), inputs = new(inPlace ? ti : pi, rows, width), recurrences = new(inPlace ? tr : pr, rows, width);
                    LinearRecurrence.Forward(xs, inputs, recurrences, decay, starts, time, result, team);
                    LinearRecurrence.Backward(
                        new MatrixView(pg, rows, width), xs, inputs, recurrences, decay, starts, time, result,
                        new MatrixView(tx, rows, width), new MatrixView(ti, rows, width), new MatrixView(tr, rows, width), da, team);
                }

                return [h, dx, di, dr, da];
            }
        }, iter: 50);
    }

    [Fact]
    public void TheTwinsGradientsAreThoseOfFiniteDifferences()
    {
        const int Width = 3, Time = 5;
        int[] starts = [0, 0, 0, 3, 3, 0, 1, 1, 1, 1];
        Random random = new(6);
        int count = starts.Length * Width;
        double[] x = Gradients.Widen(Gradients.Values(random, count)), i = Gradients.Widen(Gradients.Values(random, count)), r = Gradients.Widen(Gradients.Values(random, count));
        double[] decay = [-1.5, 0.3, -0.5], dh = Gradients.Widen(Gradients.Values(random, count)), h = new double[count];
        double[] dx = new double[count], di = new double[count], dr = new double[count], da = new double[Width];
        PlainLinearRecurrence.Forward(x, i, r, decay, starts, Time, h);
        PlainLinearRecurrence.Backward(dh, x, i, r, decay, starts, Time, h, dx, di, dr, da);
        Assert.True(Gradients.Error(x, dx, Loss) < 1e-5);
        Assert.True(Gradients.Error(i, di, Loss) < 1e-5);
        Assert.True(Gradients.Error(r, dr, Loss) < 1e-5);
        Assert.True(Gradients.Error(decay, da, Loss) < 1e-5);

        double Loss()
        {
            PlainLinearRecurrence.Forward(x, i, r, decay, starts, Time, h);
            return Gradients.Dot(dh, h);
        }
    }

    [Fact]
    public void GatesAtTheirLimitsGiveFiniteGradients()
    {
        // Shut gates, a decay whose softplus is 0, gates wide open.
        float[] x = [1, -1, 2, 1, 1, 1], input = [50, -200, 3, 100, 0, 1], recurrence = [-200, -200, -200, 200, 200, 200], decay = [-200, 90, -1];
        float[] h = new float[6], dh = [1, 1, 1, 1, 1, 1], dx = new float[6], di = new float[6], dr = new float[6], da = new float[3];
        fixed (float* px = x, pi = input, pr = recurrence, ph = h, pg = dh, tx = dx, ti = di, tr = dr)
        {
            MatrixView xs = new(px, 2, 3), i = new(pi, 2, 3), r = new(pr, 2, 3), hs = new(ph, 2, 3);
            LinearRecurrence.Forward(xs, i, r, decay, [0, 0], 2, hs);
            LinearRecurrence.Backward(new MatrixView(pg, 2, 3), xs, i, r, decay, [0, 0], 2, hs, new MatrixView(tx, 2, 3), new MatrixView(ti, 2, 3), new MatrixView(tr, 2, 3), da);
        }

        Assert.Equal(h[0], h[3]);
        Assert.Equal(0.5f, h[4], 1e-6f);
        Assert.All(new[] { h, dx, di, dr, da }.SelectMany(values => values), value => Assert.True(float.IsFinite(value)));
    }
}
