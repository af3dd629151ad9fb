using Skiff.Models;

namespace Skiff.Tests.Models.Configuration;

/// <summary>Angles per position, against values worked out by hand: base 10^4 over 8 values gives 1, 0.1, 0.01 and 0.001.</summary>
public sealed class RopeConfigTests
{
    private static readonly RopeConfig Plain = new() { RotaryDim = 8, Theta = 10000, OriginalMaxPositionEmbeddings = 100 };

    [Fact]
    public void Unscaled() => Same(Plain, 1_000_000, [1, 0.1, 0.01, 0.001]);

    [Fact]
    public void Linear() => Same(Plain with { Scaling = RopeScaling.Linear, Factor = 4 }, 0, [0.25, 0.025, 0.0025, 0.00025]);

    [Fact]
    public void DynamicGrowsTheBaseBeyondTheTrainedLength()
    {
        RopeConfig rope = Plain with { Scaling = RopeScaling.Dynamic, Factor = 2 };
        Same(rope, 100, [1, 0.1, 0.01, 0.001]);
        // At 200: stretch 2 * 2 - 1 = 3, base 10^4 * 3^(8/6), so pair i is divided by 3^(i/3): the last one by 3.
        Same(rope, 200, [1, 0.1 / Math.Cbrt(3), 0.01 / Math.Cbrt(9), 0.001 / 3]);
    }

    [Fact]
    public void QwenGrowsItInPowersOfTwo()
    {
        RopeConfig rope = Plain with { Scaling = RopeScaling.QwenDynamic };
        Same(rope, 100, [1, 0.1, 0.01, 0.001]);
        // At 150 and 200: 2^(1 + 1) - 1 = 3.
        foreach (int length in (int[])[150, 200])
            Same(rope, length, [1, 0.1 / Math.Cbrt(3), 0.01 / Math.Cbrt(9), 0.001 / 3]);
        // At 201: 2^(2 + 1) - 1 = 7.
        Same(rope, 201, [1, 0.1 / Math.Cbrt(7), 0.01 / Math.Cbrt(49), 0.001 / 7]);
    }

    [Fact]
    public void Llama3KeepsHighDividesLowAndBlendsBetween()
    {
        // Wavelengths 6.28, 62.8, 628 and 6283. With 628.3 as the original: below 628.3 / 4 kept, above 628.3 / 1 divided.
        RopeConfig rope = Plain with { Scaling = RopeScaling.Llama3, Factor = 8, LowFreqFactor = 1, HighFreqFactor = 4, OriginalMaxPositionEmbeddings = 1000 };
        // Pair 2: 1000 / 628.3 = 1.5915, of the way from 1 to 4 that is 0.19718; (1 - s) / 8 + s = 0.29753.
        double smooth = (1000 / (200 * Math.PI) - 1) / 3;
        Same(rope, 0, [1, 0.1, 0.01 * ((1 - smooth) / 8 + smooth), 0.001 / 8]);
        Assert.Equal(0.0029753, rope.Frequencies(0).Frequencies[2], 1e-7);
    }

    [Fact]
    public void YarnRampsOverDimensionsAndSharpensTheScores()
    {
        // Dimensions at which 100 positions make 32 and 1 turns: 8 ln(100 / 2 pi r) / (2 ln 10^4) = -0.303 and 1.202;
        // floored, raised to 0, and rounded up to 2: the ramp is 0, 1/2, 1, 1.
        RopeConfig rope = Plain with { Scaling = RopeScaling.Yarn, Factor = 4 };
        Same(rope, 0, [1, 0.1 * (0.5 + 0.5 / 4), 0.01 / 4, 0.001 / 4], 0.1 * Math.Log(4) + 1);
        Same(rope with { AttentionFactor = 1.25 }, 0, [1, 0.0625, 0.0025, 0.00025], 1.25);
        // Unrounded, the ramp ends at 1.202.
        double end = 8 * Math.Log(100 / (2 * Math.PI)) / (2 * Math.Log(10000));
        Same(rope with { Truncate = false, AttentionFactor = 1 }, 0, [1, 0.1 * (1 - 0.75 / end), 0.0025, 0.00025]);
    }

    [Fact]
    public void LongRopeDividesByTheTableOfTheLength()
    {
        RopeConfig rope = Plain with { Scaling = RopeScaling.LongRope, Factor = 10, ShortFactor = [1, 1, 2, 4], LongFactor = [1, 2, 5, 10] };
        // sqrt(1 + ln 10 / ln 100) = sqrt(1.5) whichever table is used.
        Same(rope, 100, [1, 0.1, 0.005, 0.00025], Math.Sqrt(1.5));
        Same(rope, 101, [1, 0.05, 0.002, 0.0001], Math.Sqrt(1.5));
        Same(rope with { Factor = 1 }, 101, [1, 0.05, 0.002, 0.0001]);
    }

    private static void Same(RopeConfig rope, int length, double[] expected, double scale = 1)
    {
        (double[] frequencies, double actualScale) = rope.Frequencies(length);
        Assert.Equal(scale, actualScale, 1e-12);
        Assert.Equal(expected.Length, frequencies.Length);
        Assert.All(expected.Zip(frequencies), f => Assert.Equal(f.First, f.Second, f.First * 1e-12));
    }
}
