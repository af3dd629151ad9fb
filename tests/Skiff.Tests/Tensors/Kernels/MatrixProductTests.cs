using CsCheck;
using Skiff.Tensors;

namespace Skiff.Tests.Tensors;

public sealed unsafe class MatrixProductTests : IDisposable
{
    private static readonly int[] s_edges = [0, 1, 2, 3, 4, 5, 6, 7, 11, 12, 13, 15, 16, 17, 31, 32, 33, 48, 49, 63, 65, 97];

    // Whatever this processor can run; the portable path always.
    public static readonly TheoryData<string> Paths = [.. Enum.GetValues<Isa>().Where(IsaChoice.Supports).Select(isa => isa.ToString())];

    private readonly ThreadTeam _one = new(1), _three = new(3);

    public void Dispose()
    {
        _one.Dispose();
        _three.Dispose();
    }

    [Theory]
    [MemberData(nameof(Paths))]
    public void AnySizeAndStrideIsTheTwinsResultWithinRounding(string path)
    {
        Gen<int> size = Gen.OneOf(Of(s_edges), Gen.Int[0, 130]);
        Gen<int> length = Gen.OneOf(Of(s_edges), Of(255, 256, 257, 511, 513, 777), Gen.Int[0, 300]);
        Gen.Select(size, size, length, Gen.Int[0, 63], Gen.Int[0, 1 << 20]).Sample((m, n, k, form, seed) =>
        {
            Random random = new(seed);
            int pad = (form & 8) == 0 ? 0 : 1 + random.Next(7);
            Check(path, random, m, n, k, (form & 1) != 0, (form & 2) != 0, (form & 4) != 0, pad, (form & 16) != 0 ? 2 : 1, (form & 32) != 0);
        }, iter: 200);
    }

    [Theory]
    [MemberData(nameof(Paths))]
    public void TrainingLayoutsOverManyBlocksAreTheTwinsResult(string path)
    {
        Random random = new(5);
        // NT, NN, TN, each over several blocks of rows and splits of the length; rows 4 KiB apart among them.
        Check(path, random, 500, 300, 700, false, true, false, 0, 1, false);
        Check(path, random, 500, 300, 700, false, false, false, 0, 1, false);
        Check(path, random, 300, 260, 1030, true, false, true, 0, 1, false);
        // A small result is shared out by ranges of the length, and those are added.
        Check(path, random, 70, 53, 4200, true, false, true, 3, 1, true);
        Check(path, random, 70, 53, 4200, true, false, false, 0, 1, false);
        Check(path, random, 200, 300, 1024, false, false, true, 0, 1, false);
        Check(path, random, 70, 9000, 130, false, true, true, 0, 1, false);
        Check(path, random, 3, 700, 300, false, true, true, 3, 1, true);
        Check(path, random, 700, 3, 300, false, true, false, 3, 1, false);
        Check(path, random, 300, 1, 300, false, true, false, 0, 1, true);
    }

    [Theory]
    [MemberData(nameof(Paths))]
    public void BitsAreTheSameForAnyNumberOfThreads(string path)
    {
        Random random = new(9);
        foreach ((int m, int n, int k, bool at, bool bt) in new[] { (400, 300, 600, false, true), (300, 410, 600, false, false), (260, 300, 1500, true, false), (45, 70, 4100, true, false), (700, 600, 300, true, false), (5, 2000, 700, false, true), (40, 9000, 300, false, true) })
        {
            Operand a = new(random, m, k, at, 0, 1), b = new(random, k, n, bt, 0, 1);
            float[]? first = null;
            foreach (int threads in new[] { 1, 2, 3, 8 })
            {
                using ThreadTeam team = new(threads);
                Operand c = new(new Random(1), m, n, false, 0, 1);
                MatrixProduct.Multiply(a.View, b.View, c.View, true, team, Enum.Parse<Isa>(path));
                first ??= c.Values;
                Assert.True(first.AsSpan().SequenceEqual(c.Values), $"{m} x {n} x {k} with {threads} threads");
            }

            Keep(a, b);
        }
    }

    [Theory]
    [MemberData(nameof(Paths))]
    public void NotANumberReachesItsRowOrColumnAndNothingElse(string path)
    {
        foreach ((int m, int n, int k) in new[] { (30, 70, 40), (5, 100, 40), (1, 33, 300), (100, 90, 300) })
        {
            foreach (bool bt in new[] { false, true })
            {
                foreach (float damage in new[] { float.NaN, float.PositiveInfinity })
                {
                    Random random = new(m);
                    Operand a = new(random, m, k, false, 0, 1), b = new(random, k, n, bt, 0, 1), c = new(random, m, n, false, 0, 1);
                    // What was in C is overwritten, not multiplied by zero.
                    c.Fill(float.NaN);
                    *a.At(m - 1, k / 2) = damage;
                    *b.At(k - 1, n / 2) = float.NaN;
                    MatrixProduct.Multiply(a.View, b.View, c.View, false, _three, Enum.Parse<Isa>(path));
                    for (int i = 0; i < m; i++)
                        for (int j = 0; j < n; j++)
                            Assert.Equal(i == m - 1 || j == n / 2, !float.IsFinite(*c.At(i, j)));
                    Keep(a, b, c);
                }
            }
        }
    }

    [Fact]
    public void SizesThatDoNotMatchAndTargetsThatOverlapAreRefused()
    {
        Random random = new(1);
        Operand a = new(random, 4, 5, false, 0, 1), b = new(random, 5, 6, false, 0, 1), c = new(random, 4, 6, false, 0, 1);
        Assert.Throws<ArgumentException>(() => MatrixProduct.Multiply(a.View, b.View.Transposed, c.View));
        Assert.Throws<ArgumentException>(() => MatrixProduct.Multiply(a.View, b.View, c.View.Transposed));
        Assert.Throws<ArgumentException>(() => MatrixProduct.Multiply(a.View, b.View, new MatrixView(c.View.Data, 4, 6, 2, 1)));
        Assert.Throws<ArgumentException>(() => MatrixProduct.Multiply(a.View, b.View, new MatrixView(c.View.Data, 4, 6, 12, 2)));
        Assert.Throws<ArgumentOutOfRangeException>(() => a.View.Block(3, 2, 0, 1));
        Assert.Throws<ArgumentException>(() => MatrixView.Of(Tensor.Allocate(TensorType.F16, 2, 2)));
    }

    [Fact]
    public void ProductsAllocateNothingInSteadyState()
    {
        Random random = new(2);
        Operand a = new(random, 200, 300, false, 0, 1), b = new(random, 300, 200, true, 0, 1), c = new(random, 200, 200, false, 0, 1);
        // Which thread takes a part is up to the system, so a thread's scratch may be made late, but only once: what a call
        // allocated by itself would show in every batch.
        long least = long.MaxValue;
        for (int batch = 0; batch < 5; batch++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int run = 0; run < 20; run++)
            {
                MatrixProduct.Multiply(a.View, b.View, c.View, false, _three);
                MatrixProduct.Multiply(a.View.Transposed, c.View, b.View, true, _three);
            }

            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        Assert.Equal(0, least);
        Keep(a, b, c);
    }

    [Fact]
    public void ThePathIsTheWidestOrTheSetting()
    {
        Assert.Equal(Enum.GetValues<Isa>().Where(IsaChoice.Supports).Max(), IsaChoice.From(null));
        Assert.Equal(Isa.Portable, IsaChoice.From("portable"));
        Assert.StartsWith("SKIFF_ISA: value: ", Assert.Throws<InvalidInputException>(() => IsaChoice.From("sse9")).Message, StringComparison.Ordinal);
    }

    // Views do not keep their memory alive.
    private static void Keep(params Operand[] operands) => GC.KeepAlive(operands);

    private static Gen<int> Of(params int[] values) => Gen.Int[0, values.Length - 1].Select(i => values[i]);

    // The bound of a sum of k products in any order: k + 2 roundings of the sum of magnitudes.
    private void Check(string path, Random random, int m, int n, int k, bool at, bool bt, bool accumulate, int pad, int step, bool ct)
    {
        Operand a = new(random, m, k, at, pad, step), b = new(random, k, n, bt, pad, 1), c = new(random, m, n, ct, pad, 1);
        Operand expected = c.Copy(), sizes = c.Copy();
        PlainMatrixProduct.Multiply(a.View, b.View, expected.View, accumulate);
        sizes.Magnitudes();
        Operand aSizes = a.Copy().Magnitudes(), bSizes = b.Copy().Magnitudes(), original = c.Copy();
        PlainMatrixProduct.Multiply(aSizes.View, bSizes.View, sizes.View, accumulate);
        MatrixProduct.Multiply(a.View, b.View, c.View, accumulate, random.Next(2) == 0 ? _one : _three, Enum.Parse<Isa>(path));
        for (int i = 0; i < m; i++)
        {
            for (int j = 0; j < n; j++)
            {
                double difference = Math.Abs((double)*c.At(i, j) - *expected.At(i, j)), bound = (k + 2) * 6e-8 * *sizes.At(i, j);
                if (!(difference <= bound))
                    Assert.Fail($"[{m}, {k}]{(at ? "T" : "")} [{k}, {n}]{(bt ? "T" : "")}, pad {pad}, step {step}, accumulate {accumulate}: ({i}, {j}) is {*c.At(i, j)}, not {*expected.At(i, j)}");
                *c.At(i, j) = *original.At(i, j);
            }
        }

        // Nothing outside the result was touched.
        Assert.True(original.Values.AsSpan().SequenceEqual(c.Values), "values between the rows of C changed");
        Keep(a, b, c, expected, sizes, aSizes, bSizes, original);
    }

    /// <summary>A matrix in pinned memory of exactly its size, the gaps between rows included.</summary>
    private sealed class Operand
    {
        private readonly int _rows, _columns, _rowStride, _columnStride;

        public Operand(Random random, int rows, int columns, bool byColumns, int pad, int step)
        {
            (_rows, _columns) = (rows, columns);
            (_rowStride, _columnStride) = byColumns ? (step, rows * step + pad) : (columns * step + pad, step);
            Values = GC.AllocateArray<float>(Math.Max(1, Math.Max(0, rows - 1) * _rowStride + Math.Max(0, columns - 1) * _columnStride + 1), pinned: true);
            for (int i = 0; i < Values.Length; i++)
                Values[i] = (float)random.NextDouble() * 2 - 1;
        }

        private Operand(Operand other)
        {
            (_rows, _columns, _rowStride, _columnStride) = (other._rows, other._columns, other._rowStride, other._columnStride);
            Values = GC.AllocateArray<float>(other.Values.Length, pinned: true);
            other.Values.CopyTo(Values, 0);
        }

        public float[] Values { get; }

        public MatrixView View => new((float*)System.Runtime.CompilerServices.Unsafe.AsPointer(ref Values[0]), _rows, _columns, _rowStride, _columnStride);

        public float* At(int row, int column) => View.Data + row * _rowStride + column * _columnStride;

        public Operand Copy() => new(this);

        public void Fill(float value) => Array.Fill(Values, value);

        public Operand Magnitudes()
        {
            for (int i = 0; i < Values.Length; i++)
                Values[i] = Math.Abs(Values[i]);
            return this;
        }
    }
}
