using Skiff.Inference;
using Skiff.Tensors;

namespace Skiff.Tests.Inference;

public sealed class Llama2cSamplerTests
{
    /// <summary>
    /// temperature, top-p, seed, V, and the grid the logits lie on (coarse ones make ties; 0 for none); then what
    /// <c>run.c</c>'s sample() drew 24 times, compiled with gcc -O3, glibc 2.36. The first number seeds the
    /// SplitMix64 that the logits come from.
    /// </summary>
    public static TheoryData<int, float, float, ulong, int, float, int[]> Draws => new()
    {
        { 1, 1, 1, 42, 512, 0, [173, 400, 442, 480, 375, 413, 124, 245, 169, 399, 200, 156, 451, 113, 35, 346, 167, 156, 511, 175, 227, 358, 199, 185] },
        { 2, 1, 0.9f, 42, 512, 0, [86, 12, 420, 127, 315, 290, 173, 425, 207, 66, 405, 34, 313, 302, 84, 39, 132, 147, 420, 75, 43, 93, 312, 415] },
        { 3, 0.8f, 0.95f, 7, 512, 0.25f, [399, 312, 210, 152, 15, 250, 356, 89, 296, 273, 120, 156, 150, 102, 282, 34, 320, 505, 497, 492, 510, 96, 236, 132] },
        { 4, 1.5f, 0.5f, 123456789, 4096, 0.5f, [3671, 3904, 1912, 1006, 844, 3999, 3402, 3745, 3326, 3881, 2463, 3708, 25, 2171, 784, 2443, 323, 3119, 3283, 1466, 3750, 3526, 2770, 2249] },
        { 5, 0.3f, 0.999f, 1, 32000, 0, [30315, 31877, 4517, 25655, 13118, 16872, 1699, 21182, 9801, 7344, 24185, 24107, 1349, 24218, 1200, 18027, 8281, 6763, 4755, 23505, 28090, 12547, 26929, 29894] },
        { 6, 2, 0, 99, 1000, 1, [315, 989, 926, 868, 428, 758, 93, 837, 739, 101, 159, 695, 2, 462, 815, 554, 609, 157, 492, 716, 596, 361, 619, 951] },
        { 7, 0.7f, 0.9f, 5, 3, 1, [2, 0, 0, 2, 0, 1, 1, 2, 1, 1, 0, 2, 1, 2, 0, 2, 0, 2, 2, 2, 2, 1, 2, 0] },
        { 8, 1, 0.9999f, 11, 512, 0.125f, [491, 263, 487, 180, 333, 278, 167, 309, 228, 379, 436, 4, 1, 403, 487, 27, 404, 338, 471, 213, 401, 420, 81, 172] },
    };

    [Theory]
    [MemberData(nameof(Draws))]
    public void DrawsWhatRunCDraws(int random, float temperature, float topP, ulong seed, int vocabulary, float grid, int[] expected)
    {
        SplitMix64 source = new((ulong)random);
        Llama2cSampler sampler = new(temperature, topP, seed, vocabulary);
        float[] logits = new float[vocabulary];
        int[] drawn = new int[expected.Length];
        for (int d = 0; d < drawn.Length; d++)
        {
            for (int i = 0; i < vocabulary; i++)
            {
                float x = ((source.Next() >> 40) / 16777216f - 0.5f) * 12;
                logits[i] = grid > 0 ? MathF.Floor(x / grid) * grid : x;
            }

            drawn[d] = sampler.Sample(logits, []);
        }

        Assert.Equal(expected, drawn);
    }

    [Fact]
    public void TemperatureZeroTakesTheFirstOfTheLargest() =>
        Assert.Equal(1, new Llama2cSampler(0, 0.9f, 1, 4).Sample([0, 3, 3, -1], []));

    [Fact]
    public void SeedZeroIsRefused() =>
        Assert.Equal("seed", Assert.Throws<InvalidInputException>(() => new Llama2cSampler(1, 0.9f, 0, 4)).Field);
}
