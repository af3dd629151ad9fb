using CsCheck;
using Skiff.Tensors;

namespace Skiff.Tests.Tensors;

public sealed class BlockRoundingTests
{
    public static TheoryData<TensorType> Types => [TensorType.F16, TensorType.BF16, TensorType.Q8_0, TensorType.Q4_0, TensorType.Q4_1, TensorType.Q5_0, TensorType.Q5_1, TensorType.Q4_K, TensorType.Q5_K, TensorType.Q6_K];

    [Theory]
    [MemberData(nameof(Types))]
    public void ValuesAreThoseOfATensorThatWasStoredAndRead(TensorType type) => Gen.Select(Gen.Int[1, 300], Gen.Int[0, 1 << 20]).Sample((blocks, seed) =>
    {
        float[] values = Gradients.Values(new Random(seed), blocks * type.BlockLength()), once = [.. values], threads = [.. values];
        float[] wanted = Tensor.FromFloats(values, 1, values.Length).ConvertTo(type).ConvertTo(TensorType.F32).Floats().ToArray();
        using ThreadTeam one = new(1), three = new(3);
        BlockRounding.Apply(once, type, one);
        BlockRounding.Apply(threads, type, three);
        return once.AsSpan().SequenceEqual(wanted) && threads.AsSpan().SequenceEqual(wanted);
    }, iter: 20);

    [Fact]
    public void UnfilledBlocksAreRefused() => Assert.Throws<ArgumentException>(() => BlockRounding.Apply(new float[33], TensorType.Q8_0));
}
