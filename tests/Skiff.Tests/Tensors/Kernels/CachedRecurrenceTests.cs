using CsCheck;
using Skiff.Tensors;

namespace Skiff.Tests.Tensors;

public sealed unsafe class CachedRecurrenceTests
{
    [Fact]
    public void StatesGoOnAsTheTwinsOfTheWholeSequenceInAnyChunks()
    {
        using ThreadTeam one = new(1), three = new(3);
        Gen.Select(Gen.Int[1, 60], Gen.Int[1, 3], Of(1, 3, 8, 17, 32, 40), Gen.Int[1, 5], Gen.Int[0, 1 << 20]).Sample((time, blocks, size, taps, seed) =>
        {
            Random random = new(seed);
            int width = blocks * size;
            float[] x = Gradients.Values(random, time * width), tapWeights = Gradients.Values(random, width * taps), tapBias = Gradients.Values(random, width);
            float[] inputGate = Gradients.Values(random, width * size + 64), recurrentGate = Gradients.Values(random, width * size + 64);
            float[] inputBias = Gradients.Values(random, width), recurrentBias = Gradients.Values(random, width), decay = Gradients.Values(random, width, 2);
            double[] convolved = new double[x.Length], i = new double[x.Length], r = new double[x.Length], h = new double[x.Length];
            int[] starts = new int[time];
            ShortConvolution.Scalar(Gradients.Widen(x), Gradients.Widen(tapWeights), Gradients.Widen(tapBias), starts, time, convolved);
            BlockDiagonal.Scalar(convolved, Gradients.Widen(inputGate[..(width * size)]), Gradients.Widen(inputBias), i);
            BlockDiagonal.Scalar(convolved, Gradients.Widen(recurrentGate[..(width * size)]), Gradients.Widen(recurrentBias), r);
            PlainLinearRecurrence.Forward(convolved, i, r, Gradients.Widen(decay), starts, time, h);
            float[] whole = Run(one, [time]);
            Assert.True(Gradients.Distance(whole, h) < 5e-6, $"off by {Gradients.Distance(whole, h)}");
            List<int> chunks = [];
            for (int left = time; left > 0; left -= chunks[^1])
                chunks.Add(Math.Min(left, random.Next(1, 20)));
            Assert.Equal(whole, Run(three, [.. chunks]));
            Assert.Equal(whole, Run(one, [.. Enumerable.Repeat(1, time)]));

            float[] Run(ThreadTeam team, int[] parts)
            {
                float[] result = new float[x.Length], state = new float[taps * width], byTap = [.. Enumerable.Range(0, taps * width).Select(n => tapWeights[n % width * taps + n / width])];
                float[] rates = [.. decay.Select(d => (float)(8 * Elementwise.Softplus(d)))];
                fixed (float* px = x, ph = result, ps = state, pt = byTap, pb = tapBias, gi = inputGate, gr = recurrentGate, bi = inputBias, br = recurrentBias, pr = rates)
                {
                    RecurrentWeights weights = new()
                    {
                        Width = width,
                        Block = size,
                        Taps = taps,
                        TapWeights = pt,
                        TapBias = pb,
                        InputGate = gi,
                        RecurrentGate = gr,
                        InputBias = bi,
                        RecurrentBias = br,
                        Rates = pr,
                    };
                    int position = 0;
                    foreach (int count in parts)
                    {
                        RecurrentRows rows = new() { Taps = ps, Hidden = ps + (taps - 1) * width, Count = count, Position = position };
                        CachedRecurrence.Forward(&rows, 1, new MatrixView(px + position * width, count, width), weights, new MatrixView(ph + position * width, count, width), team);
                        position += count;
                    }
                }

                return result;
            }
        }, iter: 40);
    }

    private static Gen<int> Of(params int[] values) => Gen.Int[0, values.Length - 1].Select(i => values[i]);
}
