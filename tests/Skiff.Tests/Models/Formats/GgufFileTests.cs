using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Tests.Models;

public sealed class GgufFileTests
{
    [Theory]
    [InlineData("ggml-vocab-gpt-2.gguf", "gpt2", 50257)]
    [InlineData("ggml-vocab-gpt-neox.gguf", "gpt2", 50432)]
    [InlineData("ggml-vocab-llama-spm.gguf", "llama", 32000)]
    [InlineData("ggml-vocab-phi-3.gguf", "llama", 32064)]
    public void ThePublishedVocabularyFilesAreRead(string name, string model, int tokens)
    {
        using GgufFile file = GgufFile.Open(Data.File("tokenizers", "gguf", name));
        Assert.Equal(3, file.Version);
        Assert.Empty(file.Tensors);
        Assert.Equal(model, file.Metadata.String("tokenizer.ggml.model"));
        Assert.Equal(tokens, file.Metadata.Array<string>("tokenizer.ggml.tokens").Length);
        Assert.Equal(tokens, file.Metadata.Array<int>("tokenizer.ggml.token_type").Length);
    }

    [Fact]
    public void GettersNameTheKeyThatIsMissingOrOfAnotherType()
    {
        GgufMetadata metadata = new() { { "n", 7u }, { "big", ulong.MaxValue }, { "f", 1.5 }, { "s", "text" }, { "list", new uint[] { 1, uint.MaxValue } }, { "bytes", new sbyte[] { -1, 2 } } };
        Assert.Equal(7, metadata.Int("n"));
        Assert.True(metadata.TryGet("n", out int n));
        Assert.Equal(7, n);
        Assert.False(metadata.TryGet("absent", out string? _));
        Assert.Equal(1.5f, metadata.Float("f"));
        Assert.Equal([1L, uint.MaxValue], metadata.Array<long>("list"));
        Assert.Equal([-1, 2], metadata.Array<int>("bytes"));
        Assert.Equal("gguf metadata: k: is missing from the metadata", Refusal(() => metadata.Int("k")));
        Assert.Equal("gguf metadata: n: holds u32 7, but text is needed", Refusal(() => metadata.String("n")));
        Assert.Equal("gguf metadata: s: holds text, but bool is needed", Refusal(() => metadata.Bool("s")));
        Assert.Equal("gguf metadata: big: holds u64 18446744073709551615, but i64 is needed", Refusal(() => metadata.Int("big")));
        Assert.Equal("gguf metadata: list: holds an array of u32 of 2, but an array of i32 is needed", Refusal(() => metadata.Array<int>("list")));
        Assert.Equal("gguf metadata: bytes: holds an array of i8 of 2, but an array of u8 is needed", Refusal(() => metadata.Array<byte>("bytes")));
        Assert.Throws<ArgumentException>(() => metadata.Add("n", 1));
        Assert.Throws<ArgumentException>(() => metadata.Add("d", new DateTime(2000, 1, 1)));
    }

    private static string Refusal(Func<object> get) => Assert.Throws<InvalidInputException>(() => { _ = get(); }).Message;
}
