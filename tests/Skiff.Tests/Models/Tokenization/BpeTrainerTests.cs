using System.Text.Json;
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Tests.Models.Tokenization;

public sealed class BpeTrainerTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(5)]
    public void TheReferenceMergesAndVocabularyComeOutExactly(int threads)
    {
        string corpus = Data.File("tokenizers", "bpe-training", "corpus.en");
        Tokenizer trained = BpeTrainer.Train([corpus], new() { VocabularySize = 500, Threads = threads }, null, TestContext.Current.CancellationToken).Tokenizer;

        string[] merges = File.ReadAllLines(Data.File("tokenizers", "bpe-training", "train-bpe-reference-merges.txt"));
        Assert.Equal(243, merges.Length);
        Assert.Equal(merges, Spelled(trained));

        Dictionary<string, int> vocabulary = JsonSerializer.Deserialize<Dictionary<string, int>>(
            File.ReadAllText(Data.File("tokenizers", "bpe-training", "train-bpe-reference-vocab.json")))!;
        Assert.Equal(500, Tokens(trained).Length);
        Assert.Equal(vocabulary.OrderBy(entry => entry.Value).Select(entry => entry.Key), Tokens(trained));
    }

    [Fact]
    public void TiesGoToTheGreaterPairOfByteStrings()
    {
        // Both pairs are seen three times; "b" is greater than "a", and " " smaller than any letter.
        Assert.Equal(["b a", "a b"], Merges("ab ba ab ba ab ba", new() { VocabularySize = 259, SpecialTokens = [] })[..2]);
        // The first halves are alike: the second ones decide.
        Assert.Equal("x z", Merges("xyxz,xzxy", new() { VocabularySize = 257, SpecialTokens = [] })[0]);
        // A prefix is smaller than what it begins: "ab c" is greater than "a d" although both begin with a.
        Assert.Equal(["a b", "ab c", "a d"], Merges("ab.ab.abc.abc.ad.ad.", new() { VocabularySize = 259, SpecialTokens = [] }));
        // Bytes are compared as numbers: E9 (in é as C3 A9: A9) is above every letter.
        Assert.Equal("Ã ©", Merges("é.zz.", new() { VocabularySize = 257, SpecialTokens = [], MinFrequency = 1 })[0]);
    }

    [Fact]
    public void SpecialTokensAreCutOutBeforeAnythingIsCounted()
    {
        BpeTrainingOptions options = new() { VocabularySize = 300, SpecialTokens = ["<|endoftext|>", "<|end|>", "<|end|> now"] };
        BpeTrainingResult result = Train(["text<|endoftext|>text<|end|> nowtext<|end|>text"], options);
        Assert.Equal(["<|endoftext|>", "<|end|>", "<|end|> now", "!"], Tokens(result.Tokenizer).Take(4));
        Assert.Equal([0, 1, 2], Enumerable.Range(0, 300).Where(result.Tokenizer.IsSpecial));
        Assert.Equal((0, 0), (result.Tokenizer.BosId, result.Tokenizer.EosId));
        Assert.Equal(4, result.PreTokens);
        Assert.Equal(1, result.DistinctPreTokens);
        Assert.Equal(["t e", "x t", "te xt"], Spelled(result.Tokenizer).Order(StringComparer.Ordinal).Order(Comparer<string>.Create((a, b) => a.Length - b.Length)));
        Assert.Equal(7, result.Tokens);
        Assert.Equal(47, result.Bytes);
    }

    [Fact]
    public void APairSeenTooSeldomIsNotMerged()
    {
        Assert.Equal(["a b"], Merges("ab.ab.ab.cd.cd.", new() { VocabularySize = 400, MinFrequency = 3 }));
        Assert.Equal(["a b", "c d"], Merges("ab.ab.ab.cd.cd.", new() { VocabularySize = 400, MinFrequency = 2 }));
    }

    [Theory]
    [InlineData("gpt2", "1234567")]
    [InlineData("llama3", "123")]
    [InlineData("qwen2", "1")]
    public void ThePatternDecidesHowManyDigitsJoin(string pattern, string longest)
    {
        Tokenizer trained = Train(Enumerable.Repeat("1234567", 5), new() { VocabularySize = 400, Pattern = pattern }).Tokenizer;
        Assert.Equal(longest, Tokens(trained).Where(token => token[0] == '1').MaxBy(token => token.Length));
    }

    [Theory]
    [InlineData(256, "too small: 256 bytes and 1 special tokens need 257")]
    [InlineData(0, "too small")]
    [InlineData(-5, "too small")]
    public void AVocabularyWithoutRoomForTheBytesIsRefused(int size, string problem)
    {
        InvalidInputException e = Assert.Throws<InvalidInputException>(() => Train(["text"], new BpeTrainingOptions { VocabularySize = size }));
        Assert.Contains(problem, e.Problem, StringComparison.Ordinal);
    }

    [Fact]
    public void AnEmptyCorpusIsRefused()
    {
        foreach (string[] documents in new[] { [], [""], new[] { "<|endoftext|>", "<|endoftext|><|endoftext|>" } })
        {
            InvalidInputException e = Assert.Throws<InvalidInputException>(() => Train(documents, new BpeTrainingOptions { VocabularySize = 300 }));
            Assert.Contains("the corpus is empty", e.Problem, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void OptionsThatCannotBeHonouredAreRefused()
    {
        BpeTrainingOptions good = new() { VocabularySize = 300 };
        foreach (BpeTrainingOptions bad in new[]
        {
            good with { Pattern = "gpt5" }, good with { MinFrequency = 0 }, good with { Threads = 0 }, good with { SpecialTokens = [""] },
            good with { SpecialTokens = ["<x>", "<x>"] }, good with { SpecialTokens = ["Ġ"] },
        })
        {
            Assert.Throws<InvalidInputException>(() => Train(["text"], bad));
        }
    }

    [Fact]
    public void NoMergedTokenIsSpelledLikeASpecialOne()
    {
        Tokenizer trained = Train(Enumerable.Repeat("go to", 9), new() { VocabularySize = 300, SpecialTokens = ["Ġto"] }).Tokenizer;
        Assert.Single(Tokens(trained), "Ġto");
        Assert.Equal(Tokens(trained).Length, Tokens(trained).Distinct().Count());
    }

    [Fact]
    public void ProgressEndsAtItsTotal()
    {
        List<BpeTrainingProgress> seen = [];
        BpeTrainer.Train([Data.File("tokenizers", "bpe-training", "corpus.en")], new() { VocabularySize = 400 }, new Collector(seen), TestContext.Current.CancellationToken);
        BpeTrainingProgress counted = seen.Last(progress => progress.Stage == "count");
        Assert.Equal((133_027, 133_027), (counted.Done, counted.Total));
        Assert.Equal(new BpeTrainingProgress("merge", 143, 143), seen[^1]);
    }

    [Fact]
    public void CancellingEndsIt()
    {
        using CancellationTokenSource source = new();
        source.Cancel();
        Assert.Throws<OperationCanceledException>(() => BpeTrainer.TrainOnTexts(["some text text"], new BpeTrainingOptions { VocabularySize = 400 }, source.Token));
    }

    internal static BpeTrainingResult Train(IEnumerable<string> documents, BpeTrainingOptions options, int chunkSize = 1 << 18) =>
        BpeTrainer.TrainOnTexts(documents, options, chunkSize, TestContext.Current.CancellationToken);

    internal static string[] Tokens(Tokenizer tokenizer) => [.. Enumerable.Range(0, tokenizer.VocabularySize).Select(id => tokenizer.TextOf(id)!)];

    internal static string[] Spelled(Tokenizer tokenizer) =>
        [.. ((BpeModel)tokenizer.Spec.Model).Merges.ToArray().Select(merge => $"{tokenizer.TextOf(merge.Left)} {tokenizer.TextOf(merge.Right)}")];

    private static string[] Merges(string text, BpeTrainingOptions options) => Spelled(Train([text], options).Tokenizer);

    private sealed class Collector(List<BpeTrainingProgress> seen) : IProgress<BpeTrainingProgress>
    {
        public void Report(BpeTrainingProgress value) => seen.Add(value);
    }
}
