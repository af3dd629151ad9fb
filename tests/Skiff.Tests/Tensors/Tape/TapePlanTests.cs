using CsCheck;
using Skiff.Tensors;

namespace Skiff.Tests.Tensors;

public sealed class TapePlanTests
{
    // Random moments at which random buffers are written anew or used again.
    [Fact]
    public void BuffersThatAreNeededAtOnceNeverShareAPlace()
    {
        Gen.Select(Gen.Int[1, 40], Gen.Int[1, 200], Gen.Int[0, 1 << 20]).Sample((buffers, moments, seed) =>
        {
            Random random = new(seed);
            TapeBuffer[] all = [.. Enumerable.Range(0, buffers).Select(i => new TapeBuffer($"{i}", random.Next(1, 100)))];
            List<(TapeBuffer Buffer, bool Writes)>[] uses = [.. Enumerable.Range(0, moments).Select(_ => Enumerable.Range(0, random.Next(1, 4)).Select(_ => (all[random.Next(buffers)], random.Next(3) == 0)).ToList())];
            TapePlan plan = new();
            for (int moment = 0; moment < moments; moment++)
                plan.Touch(moment, uses[moment]);
            plan.Place();

            // Whose value stands in a place, by the rules of the uses alone.
            Dictionary<TapeBuffer, List<int>> touched = all.ToDictionary(b => b, b => Enumerable.Range(0, moments).Where(m => uses[m].Any(u => u.Buffer == b)).ToList());
            for (int moment = 0; moment < moments; moment++)
            {
                TapeBuffer[] needed = [.. all.Where(b => Needed(b, moment))];
                for (int i = 0; i < needed.Length; i++)
                {
                    for (int j = i + 1; j < needed.Length; j++)
                    {
                        long a = plan.Places[needed[i]], b = plan.Places[needed[j]];
                        if (a < b + needed[j].Count && b < a + needed[i].Count)
                            return false;
                    }
                }
            }

            return plan.Count <= all.Sum(b => (b.Count + 15) / 16 * 16);

            // Touched now, or touched before and read later without being written anew first.
            bool Needed(TapeBuffer buffer, int moment)
            {
                if (touched[buffer].Contains(moment))
                    return true;
                int before = touched[buffer].FindLastIndex(m => m < moment);
                if (before < 0 || before == touched[buffer].Count - 1)
                    return false;
                int next = touched[buffer][before + 1];
                return !uses[next].First(u => u.Buffer == buffer).Writes;
            }
        }, iter: 200);
    }

    [Fact]
    public void BuffersOneAfterTheOtherShareAPlace()
    {
        TapeBuffer first = new("first", 100), second = new("second", 100);
        TapePlan plan = new();
        plan.Touch(0, [(first, true)]);
        plan.Touch(1, [(second, true)]);
        plan.Place();
        Assert.Equal(plan.Places[first], plan.Places[second]);
        Assert.Equal(112, plan.Count);
    }
}
