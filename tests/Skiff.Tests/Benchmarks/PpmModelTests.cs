using System.Text;
using CsCheck;
using Skiff.Benchmarks;

namespace Skiff.Tests.Benchmarks;

public sealed class PpmModelTests
{
    private static double Sum(PpmModel model) => Enumerable.Range(0, 256).Sum(symbol => model.Probability((byte)symbol));

    // By hand, on aababcbca; a comment says what each context holds, in brackets where it escapes.
    [Fact]
    public void HandComputedProbabilities()
    {
        PpmModel model = new(1);
        (char Symbol, double Probability)[] steps =
        [
            ('a', 1 / 256.0), // nothing is known
            ('a', 1 / 2.0), // none: a 1
            ('b', 1 / 2.0 / 255), // a: [a 1]; none: a excluded
            ('a', 3 / 6.0), // b: nothing; none: a 2, b 1
            ('b', 1 / 4.0), // a: a 1, b 1
            ('c', 1 / 2.0 * 1 / 2 / 254), // b: [a 1]; none: [b 1], for b was last predicted behind a
            ('b', 1 / 10.0), // c: nothing; none: a 3, b 1, c 1
            ('c', 1 / 4.0), // b: a 1, c 1
            ('a', 1 / 2.0 * 5 / 8), // c: [b 1]; none: a 3, c 1, b excluded
        ];
        foreach ((char symbol, double probability) in steps)
        {
            Assert.Equal(1, Sum(model), 12);
            Assert.Equal(probability, model.Probability((byte)symbol), 14);
            Assert.Equal(-Math.Log2(probability), model.Code([(byte)symbol]), 12);
        }
    }

    [Fact]
    public void WhereEveryByteIsKnownNothingEscapes()
    {
        byte[] bytes = [.. Enumerable.Range(0, 256).Select(symbol => (byte)symbol)];
        PpmModel model = new(0);
        model.Learn(bytes);
        Assert.All(bytes, symbol => Assert.Equal(1 / 256.0, model.Probability(symbol), 14));
        model.Learn([7, 7, 7]);
        Assert.Equal(4 / 259.0, model.Probability(7), 14);
        Assert.Equal(1, Sum(model), 12);
        // The same with the last few bytes known only to the shorter context.
        model = new(1);
        model.Learn(bytes);
        model.Learn([.. bytes[..250].SelectMany(symbol => new byte[] { 255, symbol })]);
        model.Learn([255]);
        Assert.Equal(1, Sum(model), 12);
    }

    [Fact]
    public void ProbabilitiesSumToOneAndFollowTheDefinition() =>
        Gen.Select(Gen.Int[0, 6], Gen.Int[1, 256], Gen.Int[0, 120], Gen.Int[0, 1 << 20]).Sample(
            (order, alphabet, length, seed) =>
            {
                Random random = new(seed);
                PpmModel model = new(order);
                PpmByDefinition definition = new(order);
                for (int i = 0; i < length; i++)
                {
                    byte symbol = (byte)random.Next(alphabet);
                    Assert.Equal(1, Sum(model), 12);
                    for (int other = 0; other < 256; other += 1 + (alphabet / 4))
                        Assert.Equal(definition.Probability((byte)other), model.Probability((byte)other), 14);
                    Assert.Equal(-Math.Log2(definition.Probability(symbol)), model.Code([symbol]), 10);
                    definition.Learn(symbol);
                }
            },
            iter: 60);

    [Fact]
    public void RandomBytesTakeEightBits()
    {
        byte[] bytes = new byte[100_000];
        new Random(5).NextBytes(bytes);
        Assert.InRange(new PpmModel(0).Code(bytes) / bytes.Length, 8, 8.02);
        // Longer contexts learn nothing and escape often; none may gain.
        Assert.InRange(new PpmModel(5).Code(bytes) / bytes.Length, 8, 9.5);
    }

    [Fact]
    public void RepeatedTextTakesNothing()
    {
        byte[] text = Encoding.UTF8.GetBytes("The quick brown fox jumps over the lazy dog. ");
        byte[] repeated = [.. Enumerable.Range(0, 1000).SelectMany(_ => text)];
        double once = new PpmModel(5).Code(text), all = new PpmModel(5).Code(repeated);
        Assert.InRange((all - once) / (repeated.Length - text.Length), 1e-4, 0.02);
    }

    [Fact]
    public void CodeLengthsAreTheSameEachTimeInAnyPiecesAndBehindACopy()
    {
        string[] texts = Training.Corpus.Texts(40, 200);
        byte[] first = Encoding.UTF8.GetBytes(string.Concat(texts[..20])), second = Encoding.UTF8.GetBytes(string.Concat(texts[20..]));
        PpmModel whole = new(5), primed = new(5), pieces = new(5);
        double alone = new PpmModel(5).Code(second), before = whole.Code(first), behind = whole.Code(second);
        Assert.Equal(before, new PpmModel(5).Code(first));
        primed.Learn(first);
        Assert.Equal(behind, primed.Copy().Code(second));
        // What a copy learns is its own.
        Assert.Equal(behind, primed.Copy().Code(second));
        Assert.InRange(behind, 1, alone - 1);
        Assert.Equal(before, pieces.Code(first.AsSpan(0, 33)) + pieces.Code(first.AsSpan(33)), 8);
        Assert.InRange(primed.Nodes, 100, (first.Length * 6) + 1);
        Assert.InRange(primed.Bytes, (long)primed.Nodes * PpmModel.NodeBytes, 2L * primed.Nodes * PpmModel.NodeBytes);
    }
}
