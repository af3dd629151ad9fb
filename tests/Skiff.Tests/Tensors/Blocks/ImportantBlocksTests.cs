using Skiff.Tensors;

namespace Skiff.Tests.Tensors;

public sealed class ImportantBlocksTests
{
    public static readonly TheoryData<TensorType, int> Cases = new()
    {
        { TensorType.Q4_0, 32 }, { TensorType.Q4_1, 32 }, { TensorType.Q5_0, 32 }, { TensorType.Q5_1, 32 }, { TensorType.Q4_0, 288 }, { TensorType.Q5_1, 992 },
        { TensorType.Q4_K, 256 }, { TensorType.Q5_K, 256 }, { TensorType.Q6_K, 256 }, { TensorType.Q4_K, 768 }, { TensorType.Q6_K, 512 },
    };

    [Theory]
    [MemberData(nameof(Cases))]
    public void TheWeightedErrorFalls(TensorType type, int columns)
    {
        Random random = new(3);
        const int Rows = 200;
        // A few inputs are much larger than the others, as in trained models.
        float[] importance = [.. Enumerable.Range(0, columns).Select(_ => (float)Math.Exp(2 * Normal(random)))];
        double plain = 0, weighted = 0;
        for (int row = 0; row < Rows; row++)
        {
            float[] values = [.. Enumerable.Range(0, columns).Select(_ => (float)(Normal(random) * 0.05 + (row % 2 == 0 ? 0.02 : 0)))];
            plain += Error(values, importance, target => NumberFormats.Encode(type, values, target));
            weighted += Error(values, importance, target => ImportantBlocks.Encode(type, values, importance, target));
        }

        Assert.True(weighted < 0.97 * plain, $"{type.Name()}: {weighted:g4} weighted, {plain:g4} plain");

        double Error(float[] values, float[] weights, Encoder encode)
        {
            byte[] bytes = new byte[type.ByteLength(columns)];
            float[] back = new float[columns];
            encode(bytes);
            NumberFormats.Decode(type, bytes, back);
            return values.Select((v, i) => (double)weights[i] * (v - back[i]) * (v - back[i])).Sum();
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void RowsOfZerosOneValueAndDamageStayWhatTheyAre(TensorType type, int columns)
    {
        float[] importance = [.. Enumerable.Range(0, columns).Select(i => 0.5f + i % 7)];
        Assert.All(Round(new float[columns]), v => Assert.Equal(0f, v));
        // Scales have 11 bits.
        Assert.All(Round([.. Enumerable.Repeat(0.25f, columns)]), v => Assert.Equal(0.25f, v, 0.25f * 0.05f));
        float[] damaged = [.. Enumerable.Range(0, columns).Select(i => i == 5 ? float.NaN : i * 0.01f)];
        Assert.All(Round(damaged)[..32], v => Assert.True(float.IsNaN(v)));

        float[] Round(float[] values)
        {
            byte[] bytes = new byte[type.ByteLength(columns)];
            float[] back = new float[columns];
            ImportantBlocks.Encode(type, values, importance, bytes);
            NumberFormats.Decode(type, bytes, back);
            return back;
        }
    }

    private static double Normal(Random random) => Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());

    private delegate void Encoder(Span<byte> target);
}
