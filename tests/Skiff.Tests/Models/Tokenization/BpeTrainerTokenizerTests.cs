using System.Text;
using Skiff.Models;

namespace Skiff.Tests.Models.Tokenization;

/// <summary>What is trained works: ids, texts and files.</summary>
public sealed class BpeTrainerTokenizerTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("skiff-trained-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("gpt2")]
    [InlineData("llama3")]
    [InlineData("qwen2")]
    public void AnyTextComesBack(string pattern)
    {
        Tokenizer tokenizer = Trained(pattern);
        for (int seed = 0; seed < 300; seed++)
        {
            Random random = new(seed);
            string text = seed % 3 == 0 ? BpeTrainerPropertyTests.RandomText(random, random.Next(200)) : RandomUnicode(random);
            Assert.Equal(text, tokenizer.Decode(tokenizer.Encode(text)));
        }
    }

    [Theory]
    [InlineData("gpt2")]
    [InlineData("llama3")]
    [InlineData("qwen2")]
    public void TheWrittenFilesGiveTheSameIds(string pattern)
    {
        Tokenizer tokenizer = Trained(pattern);
        tokenizer.Save(_folder);
        Tokenizer read = Tokenizer.Load(_folder);
        Assert.Equal(BpeTrainerTests.Tokens(tokenizer), BpeTrainerTests.Tokens(read));
        Assert.Equal(BpeTrainerTests.Spelled(tokenizer), BpeTrainerTests.Spelled(read));
        Assert.Equal((tokenizer.BosId, tokenizer.EosId), (read.BosId, read.EosId));
        string german = File.ReadAllText(Data.File("tokenizers", "bpe-training", "german.txt")) + "<|endoftext|>\n  it's 12345 <|end|>";
        Assert.Equal(tokenizer.Encode(german), read.Encode(german));
        Assert.Equal(german, read.Decode(read.Encode(german)));
        Assert.Contains(0, read.Encode(german));
    }

    [Fact]
    public void TheTrainingTextComesToTheTokensCounted()
    {
        string text = File.ReadAllText(Data.File("tokenizers", "bpe-training", "corpus.en")) + "<|endoftext|>";
        BpeTrainingResult result = BpeTrainerTests.Train([text], new() { VocabularySize = 700 });
        Assert.Equal(result.Tokens, result.Tokenizer.Encode(text).Length);
        Assert.Equal(Encoding.UTF8.GetByteCount(text) / (double)result.Tokens, result.BytesPerToken);
    }

    private static Tokenizer Trained(string pattern) => BpeTrainerTests.Train(
        [File.ReadAllText(Data.File("tokenizers", "bpe-training", "german.txt")), File.ReadAllText(Data.File("tokenizers", "bpe-training", "tinystories_sample.txt"))],
        new() { VocabularySize = 600, Pattern = pattern, SpecialTokens = ["<|endoftext|>", "<|end|>"] }).Tokenizer;

    private static string RandomUnicode(Random random)
    {
        StringBuilder text = new();
        for (int n = random.Next(60); n > 0; n--)
        {
            int value = random.Next(4) switch { 0 => random.Next(0x80), 1 => random.Next(0x800), 2 => random.Next(0x10000), _ => random.Next(0x110000) };
            if (Rune.IsValid(value))
                text.Append(new Rune(value));
        }

        return text.ToString();
    }
}
