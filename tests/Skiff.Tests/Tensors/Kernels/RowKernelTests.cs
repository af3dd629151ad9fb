using CsCheck;
using Skiff.Tensors;

namespace Skiff.Tests.Tensors;

/// <summary><see cref="Bias"/>, <see cref="Clip"/>, <see cref="RowScale"/> and <see cref="SharedKeys"/>.</summary>
public sealed unsafe class RowKernelTests
{
    [Fact]
    public void BiasClippingAndRowFactorsAgreeWithTheirTwinsAndLeaveTheGapsBetweenRows()
    {
        Gen.Select(Gen.Int[1, 300], Gen.Int[1, 200], Gen.Int[0, 3], Gen.Int[0, 1 << 20]).Sample((rows, d, gap, seed) =>
        {
            Random random = new(seed);
            int stride = d + gap;
            float[] x = Gradients.Values(random, rows * stride, 2), dy = Gradients.Values(random, x.Length), bias = Gradients.Values(random, d), factors = Gradients.Values(random, rows);
            float[][] one = Run(1), three = Run(3);
            float[] added = Whole(x), dBias = [.. bias], clipped = Whole(x), dx = Whole(dy), scaled = Whole(x);
            Bias.Scalar(added, bias);
            double[] sums = Gradients.Widen(bias);
            Bias.ScalarBackward(Gradients.Widen(Whole(dy)), sums);
            for (int i = 0; i < clipped.Length; i++)
            {
                clipped[i] = Clip.Scalar(clipped[i], 0.75f);
                dx[i] = Clip.ScalarBackward(clipped[i], 0.75f, dx[i]);
            }

            RowScale.Scalar<float>(scaled, factors);
            return one.Zip(three).All(p => p.First.AsSpan().SequenceEqual(p.Second)) && Gradients.Distance(one[4], sums) < 2e-6
                && Whole(one[0]).AsSpan().SequenceEqual(added) && Whole(one[1]).AsSpan().SequenceEqual(clipped)
                && Whole(one[2]).AsSpan().SequenceEqual(dx) && Whole(one[3]).AsSpan().SequenceEqual(scaled)
                && one[..4].Zip([x, x, dy, x]).All(p => Gaps(p.First).SequenceEqual(Gaps(p.Second)));

            float[] Whole(float[] values) => [.. values.Where((_, i) => i % stride < d)];
            IEnumerable<float> Gaps(float[] values) => values.Where((_, i) => i % stride >= d);

            float[][] Run(int threads)
            {
                using ThreadTeam team = new(threads);
                float[] added = [.. x], clipped = [.. x], dx = [.. dy], scaled = [.. x], sums = [.. bias];
                fixed (float* pa = added, pc = clipped, pd = dx, ps = scaled, pg = dy)
                {
                    Bias.Add(new MatrixView(pa, rows, d, stride), bias, team);
                    Clip.Apply(new MatrixView(pc, rows, d, stride), 0.75f, team);
                    Clip.Backward(new MatrixView(pc, rows, d, stride), 0.75f, new MatrixView(pd, rows, d, stride), team);
                    RowScale.Apply(new MatrixView(ps, rows, d, stride), factors, team);
                    Bias.Backward(new MatrixView(pg, rows, d, stride), sums, team);
                }

                return [added, clipped, dx, scaled, sums];
            }
        }, iter: 40);
    }

    [Fact]
    public void SharedKeysAgreeWithTheTwinAndLeaveTheValues()
    {
        Gen.Select(Gen.Int[1, 60], Gen.Int[1, 5], Gen.Int[0, 24], Gen.Int[1, 24], Gen.Int[0, 24], Gen.Int[0, 1 << 20]).Sample((rows, heads, n, r, v, seed) =>
        {
            Random random = new(seed);
            // The shared key is the end of a wider row, as the projection makes it.
            int offset = random.Next(8), wide = offset + r;
            float[] expanded = Gradients.Values(random, rows * heads * (n + v)), joint = Gradients.Values(random, rows * wide), dKeys = Gradients.Values(random, rows * heads * (n + r));
            float[][] one = Run(1), three = Run(3);
            float[] keys = new float[dKeys.Length];
            double[] dExpanded = Gradients.Widen(expanded), dJoint = Gradients.Widen(joint);
            for (int row = 0; row < rows; row++)
            {
                Range at = (row * heads * (n + r))..((row + 1) * heads * (n + r)), from = (row * heads * (n + v))..((row + 1) * heads * (n + v)), shared = (row * wide + offset)..((row + 1) * wide);
                SharedKeys.Scalar<float>(expanded.AsSpan(from), joint.AsSpan(shared), heads, keys.AsSpan(at));
                SharedKeys.ScalarBackward<double>(Gradients.Widen(dKeys[at]), heads, dExpanded.AsSpan(from), dJoint.AsSpan(shared));
            }

            return one.Zip(three).All(p => p.First.AsSpan().SequenceEqual(p.Second)) && one[0].AsSpan().SequenceEqual(keys)
                && Gradients.Distance(one[1], dExpanded) == 0 && Gradients.Distance(one[2], dJoint) < 1e-6;

            float[][] Run(int threads)
            {
                using ThreadTeam team = new(threads);
                float[] result = new float[dKeys.Length], change = [.. expanded], sharedChange = [.. joint];
                fixed (float* pe = expanded, pj = joint, pk = result, pd = dKeys, pc = change, ps = sharedChange)
                {
                    SharedKeys.Forward(new MatrixView(pe, rows, heads * (n + v)), new MatrixView(pj, rows, wide).Block(0, rows, offset, r), heads, new MatrixView(pk, rows, heads * (n + r)), team);
                    SharedKeys.Backward(new MatrixView(pd, rows, heads * (n + r)), heads, new MatrixView(pc, rows, heads * (n + v)), new MatrixView(ps, rows, wide).Block(0, rows, offset, r), team);
                }

                return [result, change, sharedChange];
            }
        }, iter: 60);
    }

    [Fact]
    public void TheTwinsGradientsAreThoseOfFiniteDifferences()
    {
        const int Rows = 3, D = 6;
        Random random = new(3);
        double[] x = Gradients.Widen(Gradients.Values(random, Rows * D, 2)), dy = Gradients.Widen(Gradients.Values(random, x.Length)), bias = Gradients.Widen(Gradients.Values(random, D));
        double[] dBias = new double[D], factors = [0.5, -2, 3], scaled = [.. dy];
        Bias.ScalarBackward(dy, dBias);
        Assert.True(Gradients.Error(bias, dBias, () =>
        {
            double[] y = [.. x];
            Bias.Scalar(y, bias);
            return Gradients.Dot(dy, y);
        }) < 1e-5);
        Assert.True(Gradients.Error(x, [.. dy.Zip(x, (g, v) => Clip.ScalarBackward(Clip.Scalar(v, 0.9), 0.9, g))], () => Gradients.Dot(dy, [.. x.Select(v => Clip.Scalar(v, 0.9))])) < 1e-5);
        RowScale.Scalar<double>(scaled, factors);
        Assert.True(Gradients.Error(x, scaled, () =>
        {
            double[] y = [.. x];
            RowScale.Scalar<double>(y, factors);
            return Gradients.Dot(dy, y);
        }) < 1e-5);

        // 3 heads, 2 unrotated, 4 rotated and 1 value.
        double[] expanded = x[..9], shared = x[9..13], dExpanded = new double[9], dShared = new double[4];
        SharedKeys.ScalarBackward<double>(dy, 3, dExpanded, dShared);
        Assert.True(Gradients.Error(expanded, dExpanded, Keys) < 1e-5);
        Assert.True(Gradients.Error(shared, dShared, Keys) < 1e-5);

        double Keys()
        {
            double[] keys = new double[18];
            SharedKeys.Scalar<double>(expanded, shared, 3, keys);
            return Gradients.Dot(dy, keys);
        }
    }

    [Fact]
    public void WrongSizesAndBoundsAreRefused()
    {
        float[] values = [float.NaN, 2, -3, 0.5f, 1, -1, 0, 9, float.PositiveInfinity, 1, 2, 3];
        fixed (float* p = values)
        {
            MatrixView x = new(p, 2, 6);
            Assert.Throws<ArgumentException>(() => Bias.Add(x, new float[5]));
            Assert.Throws<ArgumentException>(() => Bias.Backward(x, new float[7]));
            Assert.Throws<ArgumentException>(() => RowScale.Apply(x, new float[3]));
            Assert.Throws<ArgumentOutOfRangeException>(() => Clip.Apply(x, 0));
            Assert.Throws<ArgumentOutOfRangeException>(() => Clip.Apply(x, float.NaN));
            Assert.Throws<ArgumentException>(() => SharedKeys.Forward(x, x.Block(0, 2, 0, 4), 2, x));
            Clip.Apply(new MatrixView(p, 1, 12), 1);
            Assert.Equal([float.NaN, 1, -1, 0.5f, 1, -1, 0, 1, 1, 1, 1, 1], values);
        }
    }
}
