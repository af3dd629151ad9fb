using CsCheck;
using Skiff.Tensors;

namespace Skiff.Tests.Tensors;

public sealed unsafe class TopLogitsTests
{
    // Logits that half precision has: an identity for a head, and eighths.
    [Fact]
    public void TheLikeliestAreKeptAndComparedAsThoughAllWereThere() =>
        Gen.Select(Gen.Int[1, 40], Gen.Int[2, 90], Gen.Enum<Divergence>(), Gen.Int[0, 1 << 20]).Sample((tokens, vocabulary, divergence, seed) =>
        {
            Random random = new(seed);
            int top = random.Next(1, vocabulary), d = random.Next(1, 20);
            float[] hidden = [.. Enumerable.Range(0, tokens * vocabulary).Select(_ => random.Next(-60, 60) / 8f)], head = new float[vocabulary * vocabulary];
            for (int v = 0; v < vocabulary; v++)
                head[(v * vocabulary) + v] = 1;
            float[] own = Gradients.Values(random, tokens * d), ownHead = Gradients.Values(random, vocabulary * d), whole = new float[own.Length], kept = new float[own.Length];
            float tau = divergence is Divergence.MeanSquare or Divergence.Cosine ? 1 : 2;
            int[] targets = [.. Enumerable.Range(0, tokens).Select(_ => random.Next(-1, 2))];
            using ThreadTeam team = new(2);
            TopLogits logits = new(tokens, top);
            fixed (float* ph = hidden, pw = head, po = own, pu = ownHead, pa = whole, pb = kept)
            {
                LogitSource teacher = new(new MatrixView(ph, tokens, vocabulary), new MatrixView(pw, vocabulary, vocabulary)), student = new(new MatrixView(po, tokens, d), new MatrixView(pu, vocabulary, d));
                logits.Fill(teacher, team);
                DistillationGoal goal = new(divergence, tau, top);
                float[] scratch = new float[tokens * ((2 * vocabulary) + 1)];
                double one = LinearDistillation.Compute(student, teacher, targets, goal, 0.5f, new MatrixView(pa, tokens, d), null, [], scratch, team: team);
                double other = LinearDistillation.Compute(student, logits, targets, goal, 0.5f, new MatrixView(pb, tokens, d), null, [], scratch, team: team);
                for (int n = 0; n < tokens; n++)
                {
                    // Of equal ones the lower id.
                    int[] wanted = [.. Enumerable.Range(0, vocabulary).OrderByDescending(v => hidden[(n * vocabulary) + v]).ThenBy(v => v).Take(top)];
                    if (!logits.Ids.AsSpan(n * top, top).SequenceEqual(wanted) || !wanted.Select(v => hidden[(n * vocabulary) + v]).SequenceEqual(logits.Values.AsSpan(n * top, top).ToArray()))
                        return false;
                }

                // Ties at the end may be chosen otherwise by the dense form, which sorts: only unique ends compare.
                bool unique = Enumerable.Range(0, tokens).All(n => hidden.AsSpan(n * vocabulary, vocabulary).ToArray().Count(value => value >= logits.Values[((n + 1) * top) - 1]) == top);
                return !unique || (Math.Abs(one - other) < 1e-5 * (1 + Math.Abs(one)) && Gradients.Distance(whole, Gradients.Widen(kept)) < 1e-5);
            }
        }, iter: 100);

    [Fact]
    public void WrongSizesAreRefused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => new TopLogits(3, 0));
        float[] values = new float[12];
        fixed (float* p = values)
        {
            MatrixView rows = new(p, 3, 2), table = new(p, 6, 2);
            Assert.Throws<ArgumentException>(() => new TopLogits(2, 4).Fill(new LogitSource(rows, table)));
            Assert.Throws<ArgumentException>(() => new TopLogits(3, 7).Fill(new LogitSource(rows, table)));
        }
    }
}
