using System.Diagnostics;
using Skiff.Tensors;

namespace Skiff.Tests.Fuzzing;

/// <summary>
/// Feeds mutated inputs to a parser. It may accept them or refuse them with one line; it may not crash, run for over a
/// second, or take more managed memory than 4 times the input plus 64 MiB.
/// </summary>
internal static class Mutation
{
    /// <summary>How many inputs every parser must survive.</summary>
    public const int Inputs = 100_000;

    private const long Allowance = 64L << 20;

    /// <summary>Runs <paramref name="parse"/> on mutations of the seeds; the random seed makes a failure repeatable.</summary>
    public static void Check(IReadOnlyList<byte[]> seeds, Action<byte[]> parse, int inputs = Inputs, int seed = 1)
    {
        int accepted = 0;
        Random random = new(seed);
        for (int n = 0; n < inputs; n++)
        {
            byte[] input = Mutate(seeds[random.Next(seeds.Count)], seeds[random.Next(seeds.Count)], random);
            long before = GC.GetAllocatedBytesForCurrentThread();
            Stopwatch watch = Stopwatch.StartNew();
            try
            {
                parse(input);
                accepted++;
            }
            catch (InvalidInputException refusal)
            {
                Assert.DoesNotContain('\n', refusal.Message);
                Assert.NotEmpty(refusal.Field);
                Assert.NotEmpty(refusal.Problem);
            }
            catch (Exception crash)
            {
                Assert.Fail($"input {n} of seed {seed} ({input.Length} bytes, {Convert.ToBase64String(input.AsSpan(0, Math.Min(600, input.Length)))}): {crash}");
            }

            long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
            Assert.True(allocated <= 4L * input.Length + Allowance, $"input {n} of seed {seed}: {allocated} bytes for an input of {input.Length}");
            // A pause of the machine is no hang: only a second slow run of the same input counts.
            if (watch.ElapsedMilliseconds > 1000)
                Assert.True(RunsWithinASecond(parse, input), $"input {n} of seed {seed} took {watch.ElapsedMilliseconds} ms");
        }

        Assert.True(accepted < inputs, "no mutation was ever refused: the parser checks nothing");
    }

    private static bool RunsWithinASecond(Action<byte[]> parse, byte[] input)
    {
        Stopwatch watch = Stopwatch.StartNew();
        try
        {
            parse(input);
        }
        catch (InvalidInputException)
        {
        }

        return watch.ElapsedMilliseconds <= 1000;
    }

    private static byte[] Mutate(byte[] first, byte[] second, Random random)
    {
        List<byte> bytes = [.. first];
        for (int edits = 1 + random.Next(6); edits > 0 && bytes.Count > 0; edits--)
        {
            int at = random.Next(bytes.Count);
            switch (random.Next(9))
            {
                case 0:
                    bytes[at] ^= (byte)(1 << random.Next(8));
                    break;
                case 1:
                    bytes[at] = (byte)random.Next(256);
                    break;
                case 2:
                    bytes.RemoveRange(at, Math.Min(1 + random.Next(16), bytes.Count - at));
                    break;
                case 3:
                    bytes.InsertRange(at, bytes.GetRange(at, Math.Min(1 + random.Next(64), bytes.Count - at)));
                    break;
                case 4:
                    // Lengths and counts break on the largest numbers of each width.
                    byte[] extreme = BitConverter.GetBytes(Extremes[random.Next(Extremes.Length)]);
                    for (int i = 0; i < Math.Min(random.Next(2) == 0 ? 4 : 8, bytes.Count - at); i++)
                        bytes[at + i] = extreme[i];
                    break;
                case 5:
                    bytes.RemoveRange(at, bytes.Count - at);
                    break;
                case 6 when second.Length > 0:
                    int from = random.Next(second.Length);
                    bytes.InsertRange(at, second.AsSpan(from, Math.Min(1 + random.Next(200), second.Length - from)).ToArray());
                    break;
                case 7:
                    bytes.InsertRange(at, Tokens[random.Next(Tokens.Length)]);
                    break;
                default:
                    int other = random.Next(bytes.Count);
                    (bytes[at], bytes[other]) = (bytes[other], bytes[at]);
                    break;
            }
        }

        return [.. bytes];
    }

    private static readonly long[] Extremes =
        [0, 1, -1, int.MaxValue, int.MinValue, uint.MaxValue, long.MaxValue, long.MinValue, 1L << 40, 0x7FFFFFF0, 255, 65535];

    // Pieces of the text formats, so that mutants of JSON and templates get past the first character.
    private static readonly byte[][] Tokens =
    [
        "{"u8.ToArray(), "}"u8.ToArray(), "["u8.ToArray(), "]"u8.ToArray(), "\""u8.ToArray(), ","u8.ToArray(), ":"u8.ToArray(),
        "null"u8.ToArray(), "-1"u8.ToArray(), "1e999"u8.ToArray(), "99999999999999999999"u8.ToArray(), "{{"u8.ToArray(), "}}"u8.ToArray(),
        "{%"u8.ToArray(), "%}"u8.ToArray(), "\\u0000"u8.ToArray(), "\\ud800"u8.ToArray(), "[[[[[[[["u8.ToArray(), "("u8.ToArray(), ")"u8.ToArray(),
    ];
}
