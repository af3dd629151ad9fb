using System.Text;
using CsCheck;
using Skiff.Models;

namespace Skiff.Tests.Models.Tokenization;

public sealed class TokenizerStreamTests
{
    public static TheoryData<string> All => [.. TokenizerData.All];

    [Theory]
    [MemberData(nameof(All))]
    public void StreamedPartsAreWholeCharactersAndMakeTheDecodedText(string path)
    {
        Tokenizer tokenizer = TokenizerData.Load(path);
        Gen.Select(Gen.Int[-1, tokenizer.VocabularySize].Array[0, 40], Gen.Bool).Sample(
            (ids, skip) =>
            {
                TokenStream stream = tokenizer.OpenStream(skip);
                StringBuilder text = new();
                foreach (int id in ids)
                {
                    string part = stream.Append(id);
                    Assert.True(part.Length == 0 || (!char.IsLowSurrogate(part[0]) && !char.IsHighSurrogate(part[^1])));
                    text.Append(part);
                }

                text.Append(stream.Flush());
                Assert.Equal(tokenizer.Decode(ids, skip), text.ToString());
                Assert.Equal(Whole(tokenizer, ids, skip), text.ToString());
            },
            iter: 500);
    }

    [Fact]
    public void ACharacterOfSeveralTokensIsGivenOutWithItsLast()
    {
        Tokenizer tokenizer = TokenizerData.Load("llama2/tokenizer.model");
        int[] ids = tokenizer.Encode("\uD83E\uDD99", addSpecial: false);
        TokenStream stream = tokenizer.OpenStream();
        string[] parts = [.. ids.Select(stream.Append)];
        Assert.Equal("\uD83E\uDD99", parts[^1]);
        Assert.All(parts[..^1], p => Assert.Empty(p.Trim()));
        Assert.Empty(stream.Flush());
    }

    [Fact]
    public void HalfACharacterAtTheEndIsReplaced()
    {
        Tokenizer tokenizer = TokenizerData.Load("gpt2");
        int[] ids = tokenizer.Encode("\uD83E\uDD99");
        Assert.True(ids.Length > 1);
        Assert.Equal("\uFFFD", tokenizer.Decode(ids.AsSpan(0, ids.Length - 1)));
    }

    [Theory]
    [InlineData("""{"type":"Sequence","decoders":[{"type":"Fuse"},{"type":"Strip","content":"-","start":2,"stop":2}]}""", "--a--b---")]
    [InlineData("""{"type":"BPEDecoder","suffix":"-"}""", "a-b--")]
    [InlineData("""{"type":"WordPiece","prefix":"b","cleanup":true}""", "ab-a")]
    [InlineData("""{"type":"Metaspace","replacement":"-","prepend_scheme":"always"}""", "--a-b")]
    public void DecodersOfRarerKindsStreamAsTheyDecode(string decoder, string expected)
    {
        string json = "{\"decoder\":" + decoder + """,  "model":{"type":"BPE","vocab":{"a":0,"b":1,"-":2},"merges":[]}}""";
        Tokenizer tokenizer = Tokenizer.FromJson(Encoding.UTF8.GetBytes(json), "test");
        string whole = tokenizer.Decode(tokenizer.Encode(expected));
        Assert.Equal(
            decoder.Contains("Fuse", StringComparison.Ordinal) ? "a--b-" : decoder.Contains("BPE", StringComparison.Ordinal) ? "a b " : decoder.Contains("WordPiece", StringComparison.Ordinal) ? "a - a" : " a b",
            whole);
        TokenStream stream = tokenizer.OpenStream();
        Assert.Equal(whole, string.Concat(tokenizer.Encode(expected).Select(stream.Append)) + stream.Flush());
    }

    // All bytes at once, then the one rule that concerns the joined text.
    private static string Whole(Tokenizer tokenizer, int[] ids, bool skip)
    {
        List<byte> bytes = [];
        foreach (int id in ids.Where(i => !skip || !tokenizer.IsSpecial(i)))
            bytes.AddRange(tokenizer.BytesOf(id));
        string text = Encoding.UTF8.GetString([.. bytes]);
        return tokenizer.Spec.Decoder?.Strip is { Start: 1 } && text.StartsWith(' ') ? text[1..] : text;
    }
}
