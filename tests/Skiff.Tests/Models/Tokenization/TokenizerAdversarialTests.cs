using System.Diagnostics;
using Skiff.Models;

namespace Skiff.Tests.Models.Tokenization;

public sealed class TokenizerAdversarialTests
{
    private const int Mebi = 1 << 20;

    public static TheoryData<string> All => [.. TokenizerData.All];

    [Theory]
    [MemberData(nameof(All))]
    public void ALongRunOfOneCharacterDoesNotHang(string path)
    {
        Tokenizer tokenizer = TokenizerData.Load(path);
        // A quadratic merge of a mebibyte would take hours; the others are what normalizers and scanners might stumble on.
        int longest = path is "gpt2" or "phi3" or "llama2/tokenizer.model" or "sentencepiece/test_model.model" ? Mebi : Mebi / 8;
        foreach ((char c, int length) in new[] { ('a', longest), (' ', Mebi / 8), ('\u0301', Mebi / 8), ('\u4E00', Mebi / 8), ('\'', Mebi / 8) })
        {
            Stopwatch watch = Stopwatch.StartNew();
            int[] ids = tokenizer.Encode(new string(c, length), addSpecial: false);
            Assert.True(watch.Elapsed < TimeSpan.FromSeconds(20), $"{(int)c:X4} took {watch.Elapsed}");
            Assert.True(ids.Length <= (3 * length) + 1);
        }
    }

    [Fact]
    public void LongAndShortRunsAreMergedAlike()
    {
        // The merge loop changes its method with the length; a word repeated must not notice.
        Tokenizer tokenizer = TokenizerData.Load("llama2/tokenizer.model");
        int[] one = tokenizer.Encode("\u2581supercalifragilistic", addSpecial: false);
        int[] many = tokenizer.Encode(string.Concat(Enumerable.Repeat("\u2581supercalifragilistic", 200)), addSpecial: false);
        Assert.Equal(Enumerable.Repeat(one[1..], 200).SelectMany(x => x), many[1..].Where(id => id != one[0] || one[0] == one[1]));
    }

    [Theory]
    [InlineData(39)]
    [InlineData(40)]
    [InlineData(41)]
    [InlineData(500)]
    public void BothMergeLoopsFollowTheDefinition(int length)
    {
        // Ids 0 to 3 and every merge of two small ids into a larger one, in a fixed random order of ranks.
        Random random = new(length);
        MergeTable table = new(4096);
        Dictionary<(int, int), (int Rank, int Merged)> plain = [];
        foreach (int pair in Enumerable.Range(0, 900).OrderBy(_ => random.Next()).Take(300))
        {
            (int left, int right) = (pair / 30, pair % 30);
            int merged = Math.Min(29, Math.Max(left, right) + 1 + random.Next(3));
            int rank = random.Next(100);
            if (table.TryAdd(left, right, rank, merged))
                plain[(left, right)] = (rank, merged);
        }

        for (int round = 0; round < 50; round++)
        {
            int[] ids = [.. Enumerable.Range(0, length).Select(_ => random.Next(4))];
            List<int> expected = [.. ids];
            while (true)
            {
                int best = -1;
                for (int i = 0; i + 1 < expected.Count; i++)
                {
                    if (plain.TryGetValue((expected[i], expected[i + 1]), out (int Rank, int Merged) merge)
                        && (best < 0 || merge.Rank < plain[(expected[best], expected[best + 1])].Rank))
                        best = i;
                }

                if (best < 0)
                    break;
                expected[best] = plain[(expected[best], expected[best + 1])].Merged;
                expected.RemoveAt(best + 1);
            }

            int count = new BpeMerger().Merge(ids, table);
            Assert.Equal(expected, ids[..count]);
        }
    }

    [Fact]
    public void HalvesOfSurrogatePairsReadAsReplacementCharacters()
    {
        foreach (string path in TokenizerData.All)
        {
            Tokenizer tokenizer = TokenizerData.Load(path);
            Assert.Equal(tokenizer.Encode("a\uFFFDb\uFFFD"), tokenizer.Encode("a\uD800b\uDC00"));
        }
    }

    [Fact]
    public void ThreadsShareOneTokenizer()
    {
        Tokenizer tokenizer = Tokenizer.Load(Data.File("tokenizers", "gpt2"));
        string[] pages = [.. Enumerable.Range(0, 64).Select(i => TokenizerData.Books.Substring(i * 5000, 5000))];
        int[][] expected = [.. pages.Select(p => Tokenizer.Load(Data.File("tokenizers", "gpt2")) is { } own && p == pages[0] ? own.Encode(p) : TokenizerData.Load("gpt2").Encode(p))];
        Parallel.For(0, 512, new ParallelOptions { MaxDegreeOfParallelism = 8 }, i => Assert.Equal(expected[i % 64], tokenizer.Encode(pages[i % 64])));
    }

    [Fact]
    public void EncodingIntoAListLeavesNoGarbagePerToken()
    {
        Tokenizer tokenizer = TokenizerData.Load("gpt2");
        string page = TokenizerData.Books[..100_000];
        List<int> ids = new(200_000);
        tokenizer.Encode(page, ids);
        long least = long.MaxValue;
        for (int i = 0; i < 5; i++)
        {
            ids.Clear();
            long before = GC.GetAllocatedBytesForCurrentThread();
            tokenizer.Encode(page, ids);
            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        Assert.True(least < 1024, $"{least} bytes");
    }

    [Fact]
    public void AnExpressionThatBacktracksWithoutEndIsStopped()
    {
        const string json = """{"pre_tokenizer":{"type":"Split","pattern":{"Regex":"(a+)+$"},"behavior":"Isolated"},"model":{"type":"BPE","vocab":{"a":0},"merges":[]}}""";
        Tokenizer tokenizer = Tokenizer.FromJson(System.Text.Encoding.UTF8.GetBytes(json), "slow.json");
        Skiff.Tensors.InvalidInputException refusal = Assert.Throws<Skiff.Tensors.InvalidInputException>(() => tokenizer.Encode(new string('a', 40) + "b"));
        Assert.StartsWith("slow.json: pattern: ", refusal.Message, StringComparison.Ordinal);
    }
}
