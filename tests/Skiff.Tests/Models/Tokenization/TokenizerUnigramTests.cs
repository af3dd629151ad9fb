using Skiff.Models;

namespace Skiff.Tests.Models.Tokenization;

public sealed class TokenizerUnigramTests
{
    [Fact]
    public void TheCutOfBotchanIsTheBestThereIs()
    {
        Tokenizer tokenizer = TokenizerData.Load("sentencepiece/test_model.model");
        UnigramModel model = Assert.IsType<UnigramModel>(tokenizer.Spec.Model);
        Dictionary<string, double> scores = [];
        double lowest = 0;
        for (int id = 0; id < tokenizer.VocabularySize; id++)
        {
            lowest = Math.Min(lowest, model.ScoreOf(id));
            if (!tokenizer.IsSpecial(id))
                scores[tokenizer.TextOf(id)!] = model.ScoreOf(id);
        }

        int longest = scores.Keys.Max(k => k.Length);
        int lines = 0;
        foreach (string line in File.ReadLines(Data.File("tokenizers", "sentencepiece", "botchan.txt")))
        {
            string text = tokenizer.Spec.Normalizer!.Apply(line);
            int[] ids = tokenizer.Encode(line, addSpecial: false);
            if (text.Length == 0)
                continue;
            double[] best = new double[text.Length + 1];
            for (int end = 1; end <= text.Length; end++)
            {
                best[end] = double.NegativeInfinity;
                for (int start = Math.Max(0, end - longest); start < end; start++)
                {
                    double score = scores.TryGetValue(text[start..end], out double known) ? known : end - start == 1 ? lowest - 10 : double.NegativeInfinity;
                    best[end] = Math.Max(best[end], best[start] + score);
                }
            }

            // Runs of unknown characters are one id, so only lines without any can be added up.
            if (ids.Contains(tokenizer.UnknownId!.Value))
                continue;
            lines++;
            Assert.Equal(best[^1], ids.Sum(model.ScoreOf), 6);
            Assert.Equal(text, string.Concat(ids.Select(tokenizer.TextOf)));
        }

        Assert.True(lines > 4000, $"{lines} lines");
    }

    [Fact]
    public void TheCharacterMapIsThatOfNfkc()
    {
        Normalizer normalizer = TokenizerData.Load("sentencepiece/test_model.model").Spec.Normalizer!;
        Assert.Equal("\u2581ABC", normalizer.Apply("\uFF21\uFF22\uFF23"));
        Assert.Equal("\u2581\u682A\u5F0F\u4F1A\u793E", normalizer.Apply("\u337F"));
        Assert.Equal("\u2581a\u2581b", normalizer.Apply("  a\u3000\u00A0b \u2003"));
        Assert.Equal("\u2581\u00E9fi", normalizer.Apply("e\u0301\uFB01"));
    }

    [Fact]
    public void SentencePiecesOwnExamplesGetTheirIds()
    {
        // From the README of its Python package.
        Tokenizer tokenizer = TokenizerData.Load("sentencepiece/test_model.model");
        Assert.Equal([284, 47, 11, 4, 15, 400], tokenizer.Encode("This is a test", addSpecial: false));
        Assert.Equal([151, 88, 21, 887], tokenizer.Encode("Hello world", addSpecial: false));
        Assert.Equal("This is a test", tokenizer.Decode([284, 47, 11, 4, 15, 400]));
    }
}
