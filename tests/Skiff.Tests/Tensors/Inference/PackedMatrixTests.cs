using CsCheck;
using Skiff.Tensors;

namespace Skiff.Tests.Tensors;

public sealed unsafe class PackedMatrixTests : IDisposable
{
    private static readonly TensorType[] s_types =
    [
        TensorType.F32, TensorType.F16, TensorType.BF16, TensorType.Q8_0, TensorType.Q4_0, TensorType.Q4_1, TensorType.Q5_0, TensorType.Q5_1,
        TensorType.Q4_K, TensorType.Q5_K, TensorType.Q6_K,
    ];

    public static readonly TheoryData<TensorType, string> TypesAndPaths =
        [.. s_types.SelectMany(type => Enum.GetValues<Isa>().Where(IsaChoice.Supports).Select(isa => (type, isa.ToString())))];

    private readonly ThreadTeam _one = new(1), _three = new(3);

    public void Dispose()
    {
        _one.Dispose();
        _three.Dispose();
    }

    [Theory]
    [MemberData(nameof(TypesAndPaths))]
    public void AnySizeIsTheTwinsResultAndWithinTheRoundingOfTheActivations(TensorType type, string path)
    {
        Isa isa = Enum.Parse<Isa>(path);
        Gen.Select(Gen.Int[1, 60], Gen.Int[1, 70], Gen.Int[1, 5], Gen.Int[0, 1 << 20]).Sample((rows, outputs, blocks, seed) =>
        {
            Random random = new(seed);
            int inputs = Math.Max(type.BlockLength(), type.IsQuantized() ? 1 : 29) * blocks;
            Tensor weight = Weight(random, type, outputs, inputs), x = Values(random, rows, inputs), exact = Exact(weight, x);
            float[] y = Product(PackedMatrix.Pack(weight, _three), x, _three, isa);
            (double[] twin, double[] magnitudes, double[] roundings) = PlainPackedProduct.Multiply(weight, MatrixView.Of(x));
            for (int i = 0; i < y.Length; i++)
            {
                Assert.InRange(y[i], twin[i] - 4e-6 * magnitudes[i], twin[i] + 4e-6 * magnitudes[i]);
                double allowed = roundings[i] * 1.0001 + 4e-6 * magnitudes[i] + 1e-30;
                Assert.InRange(y[i], exact.Floats()[i] - allowed, exact.Floats()[i] + allowed);
            }

            GC.KeepAlive(x);
        }, iter: 25);
    }

    [Theory]
    [MemberData(nameof(TypesAndPaths))]
    public void BitsOfARowDoNotDependOnOtherRowsNorThreads(TensorType type, string path)
    {
        Isa isa = Enum.Parse<Isa>(path);
        Random random = new(3);
        // Large enough that threads share it, over several blocks of every kernel.
        foreach ((int outputs, int inputs) in new[] { (203, 768), (1040, 1024) })
        {
            PackedMatrix packed = PackedMatrix.Pack(Weight(random, type, outputs, inputs), _three);
            Tensor x = Values(random, 131, inputs);
            float[] all = Product(packed, x, _three, isa);
            Assert.Equal(all, Product(packed, x, _one, isa));
            foreach ((int first, int count) in new[] { (0, 1), (17, 1), (130, 1), (5, 2), (9, 3), (20, 4), (31, 5), (2, 7), (40, 13), (7, 24), (70, 25), (11, 97) })
            {
                float[] some = Product(packed, x.Slice(first, count), _three, isa);
                Assert.True(some.AsSpan().SequenceEqual(all.AsSpan(first * outputs, count * outputs)), $"{count} rows from {first}, {outputs} outputs");
            }
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(40)]
    public void SeveralMatricesInOneRunGiveWhatTheyGiveAlone(int rows)
    {
        Random random = new(6);
        PackedMatrix[] matrices = [.. s_types.Select((type, i) => PackedMatrix.Pack(Weight(random, type, 30 + 97 * i, 512), _three))];
        Tensor x = Values(random, rows, 512), y = Tensor.Allocate(TensorType.F32, rows, matrices.Sum(matrix => matrix.Outputs));
        y.Floats().Fill(float.NaN);
        Activations activations = new();
        activations.Set(MatrixView.Of(x), _three);
        PackedMatrix.Multiply(activations, matrices, MatrixView.Of(y), _three);
        int column = 0;
        foreach (PackedMatrix matrix in matrices)
        {
            float[] alone = Product(matrix, x, _one, IsaChoice.Current);
            for (int row = 0; row < rows; row++)
                Assert.True(alone.AsSpan(row * matrix.Outputs, matrix.Outputs).SequenceEqual(y.Floats().Slice(row * y.Columns + column, matrix.Outputs)), $"{matrix.Type}, row {row}");
            column += matrix.Outputs;
        }

        Assert.Throws<ArgumentException>(() => PackedMatrix.Multiply(activations, matrices.AsSpan(1), MatrixView.Of(y), _three));
        GC.KeepAlive(x);
    }

    [Theory]
    [MemberData(nameof(TypesAndPaths))]
    public void ExtremeCodesAndScalesStayExact(TensorType type, string path)
    {
        // Any bytes are blocks once their half-precision scales are finite; activations of one magnitude drive sums to their bounds.
        Random random = new(11);
        int inputs = 512, outputs = 37;
        Tensor weight = Weight(random, type, outputs, inputs), x = Values(random, 3, inputs);
        if (type.IsQuantized())
        {
            for (int output = 0; output < outputs; output++)
            {
                Span<byte> row = weight.MutableRowBytes(output);
                Span<byte> kept = row.ToArray();
                row.Fill((byte)(output % 2 == 0 ? 0xFF : random.Next(256)));
                if (output % 5 == 4)
                    row.Clear();
                for (int at = 0; at < row.Length; at += type.BlockBytes())
                {
                    foreach (int half in Halves(type))
                        kept.Slice(at + half, 2).CopyTo(row[(at + half)..]);
                }
            }
        }

        for (int i = 0; i < x.Floats().Length; i++)
            x.Floats()[i] = i % inputs < 256 || (i / 7) % 2 == 0 ? 3.5f : -3.5f;
        float[] y = Product(PackedMatrix.Pack(weight, _one), x, _three, Enum.Parse<Isa>(path));
        (double[] twin, double[] magnitudes, _) = PlainPackedProduct.Multiply(weight, MatrixView.Of(x));
        for (int i = 0; i < y.Length; i++)
            Assert.InRange(y[i], twin[i] - 4e-6 * magnitudes[i], twin[i] + 4e-6 * magnitudes[i]);
        GC.KeepAlive(x);
    }

    [Theory]
    [MemberData(nameof(TypesAndPaths))]
    public void DamageReachesItsRowOrOutputAndNothingElse(TensorType type, string path)
    {
        Random random = new(7);
        Tensor weight = Weight(random, type, 50, 512), x = Values(random, 30, 512);
        float[] row = new float[512];
        weight.ReadRow(33, row);
        row[300] = float.NaN;
        weight.WriteRow(33, row);
        x.Floats()[12 * 512 + 100] = float.NaN;
        x.Floats()[25 * 512 + 511] = float.PositiveInfinity;
        float[] y = Product(PackedMatrix.Pack(weight, _three), x, _three, Enum.Parse<Isa>(path));
        for (int i = 0; i < y.Length; i++)
            Assert.Equal(i / 50 is 12 or 25 || i % 50 == 33, !float.IsFinite(y[i]));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(40)]
    public void ProductsAllocateNothingInSteadyState(int rows)
    {
        Random random = new(2);
        PackedMatrix[] matrices = [.. s_types.Select(type => PackedMatrix.Pack(Weight(random, type, 70, 512), _one))];
        Tensor x = Values(random, rows, 512), y = Tensor.Allocate(TensorType.F32, rows, 70);
        Activations activations = new();
        Once();
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 5; i++)
            Once();
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());

        void Once()
        {
            activations.Set(MatrixView.Of(x), _one);
            foreach (PackedMatrix matrix in matrices)
                matrix.Multiply(activations, MatrixView.Of(y), _one);
        }
    }

    [Fact]
    public void MemoryIsThatOfTheFile()
    {
        foreach (TensorType type in s_types)
        {
            Tensor weight = Tensor.Allocate(type, 320, 768);
            PackedMatrix packed = PackedMatrix.Pack(weight, _one);
            Assert.Equal((type, 320, 768), (packed.Type, packed.Outputs, packed.Inputs));
            // Scales and minima of these are unpacked to a byte each.
            int unpacked = type is TensorType.Q4_K or TensorType.Q5_K ? 4 * 320 * 768 / 256 : 0;
            Assert.Equal(weight.ByteLength + unpacked, packed.ByteLength);
        }

        Assert.Equal(TensorType.F32, PackedMatrix.Pack(Tensor.Allocate(TensorType.F64, 3, 3)).Type);
    }

    [Fact]
    public void RowsOfTheResultMayLieApartAndWhatLiesBetweenStays()
    {
        Random random = new(4);
        Tensor weight = Weight(random, TensorType.Q4_0, 40, 64), x = Values(random, 5, 64), wide = Tensor.Allocate(TensorType.F32, 5, 100);
        PackedMatrix packed = PackedMatrix.Pack(weight);
        float[] plain = Product(packed, x, _one, IsaChoice.Current);
        wide.Floats().Fill(7);
        Activations activations = new();
        activations.Set(MatrixView.Of(x));
        packed.Multiply(activations, MatrixView.Of(wide).Block(0, 5, 30, 40));
        for (int i = 0; i < wide.Floats().Length; i++)
            Assert.Equal(i % 100 is >= 30 and < 70 ? plain[i / 100 * 40 + i % 100 - 30] : 7, wide.Floats()[i]);
        GC.KeepAlive(x);
    }

    [Fact]
    public void SizesThatDoNotMatchAreRefused()
    {
        PackedMatrix packed = PackedMatrix.Pack(Tensor.Allocate(TensorType.Q8_0, 8, 64));
        Tensor x = Tensor.Allocate(TensorType.F32, 3, 64), y = Tensor.Allocate(TensorType.F32, 3, 8);
        Activations activations = new();
        Assert.Throws<ArgumentException>(() => activations.Set(MatrixView.Of(x).Transposed));
        activations.Set(MatrixView.Of(x));
        Assert.Throws<ArgumentException>(() => packed.Multiply(activations, MatrixView.Of(y).Block(0, 2, 0, 8)));
        Assert.Throws<ArgumentException>(() => packed.Multiply(activations, MatrixView.Of(y).Block(0, 3, 0, 7)));
        Assert.Throws<ArgumentException>(() => packed.Multiply(activations, new MatrixView(null, 3, 8, 1, 3)));
        Assert.Throws<ArgumentException>(() => PackedMatrix.Pack(Tensor.Allocate(TensorType.F32, 8)));
        Assert.Throws<ArgumentException>(() => PackedMatrix.Pack(Tensor.Allocate(TensorType.F32, 8, 0)));
        activations.Set(MatrixView.Of(x).Block(0, 3, 0, 32));
        Assert.Throws<ArgumentException>(() => packed.Multiply(activations, MatrixView.Of(y)));
        activations.Set(MatrixView.Of(x).Block(0, 0, 0, 64));
        packed.Multiply(activations, MatrixView.Of(y).Block(0, 0, 0, 8));
        GC.KeepAlive(x);
    }

    private static int[] Halves(TensorType type) => type switch
    {
        TensorType.Q4_1 or TensorType.Q5_1 or TensorType.Q4_K or TensorType.Q5_K => [0, 2],
        TensorType.Q6_K => [208],
        _ => [0],
    };

    private static float[] Product(PackedMatrix packed, Tensor x, ThreadTeam team, Isa isa)
    {
        Tensor y = Tensor.Allocate(TensorType.F32, x.Rows, packed.Outputs);
        y.Floats().Fill(float.NaN);
        Activations activations = new();
        activations.Set(MatrixView.Of(x), team);
        packed.Multiply(activations, MatrixView.Of(y), team, isa);
        GC.KeepAlive(x);
        return y.Floats().ToArray();
    }

    private static Tensor Exact(Tensor weight, Tensor x)
    {
        Tensor y = Tensor.Allocate(TensorType.F32, x.Rows, weight.Rows);
        float[] row = new float[weight.Columns];
        for (int n = 0; n < weight.Rows; n++)
        {
            weight.ReadRow(n, row);
            for (int m = 0; m < x.Rows; m++)
            {
                double sum = 0;
                for (int i = 0; i < row.Length; i++)
                    sum += (double)row[i] * x.Floats()[m * row.Length + i];
                y.Floats()[(int)(m * weight.Rows) + n] = (float)sum;
            }
        }

        return y;
    }

    private static Tensor Weight(Random random, TensorType type, int outputs, int inputs) => Values(random, outputs, inputs).ConvertTo(type);

    // Some blocks are zeros, some much greater than others.
    private static Tensor Values(Random random, int rows, int columns)
    {
        Tensor tensor = Tensor.Allocate(TensorType.F32, rows, columns);
        Span<float> values = tensor.Floats();
        for (int i = 0; i < values.Length; i++)
            values[i] = (float)(random.NextDouble() - 0.45) * (i / 32 % 7 == 3 ? 0 : i / 32 % 5 == 1 ? 30 : 1);
        return tensor;
    }
}
