using System.Text;
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Tests.Models.Tokenization;

public sealed class TokenBordersTests
{
    private static readonly string[] Parts =
        ["a", "the", " the", " ", "  ", "\n", "\n\n", "\t", "1", "2024", ".", "?!", "'ll", "é", "ß", "世", "界", "🙂", "👩‍👩‍👧", "Ω", "Hello", "<", "|", "\u00a0", "\u0000", "_", "▁"];

    // Bytes of tokens add up to the text, whatever the tokens are: where each begins is known without a look at the text.
    [Theory]
    [InlineData("smollm2")]
    [InlineData("gpt-neox")]
    [InlineData("dolma2")]
    [InlineData("phi2-codegen")]
    [InlineData("qwen2")]
    [InlineData("llama3")]
    public void ByteLevelTokensBeginWhereTheirBytesDo(string name)
    {
        Tokenizer tokenizer = Tokenizer.Load(Data.File("tokenizers", name));
        string[] special = [.. tokenizer.Spec.AddedTokens.Where(token => token.Special).Take(3).Select(token => token.Content)];
        TokenBorders borders = new(tokenizer);
        Random random = new(1);
        for (int n = 0; n < 200; n++)
        {
            string text = Random(random, [.. Parts, .. special]);
            Check(borders, tokenizer, text, 0);
        }
    }

    // The mark before the text is the tokenizer's own.
    [Fact]
    public void SentencePieceTokensBeginWhereTheirCharactersDo()
    {
        Tokenizer tokenizer = Tokenizer.Load(Data.File("tokenizers", "llama2", "tokenizer.model"));
        TokenBorders borders = new(tokenizer);
        Random random = new(2);
        for (int n = 0; n < 300; n++)
            Check(borders, tokenizer, Random(random, [.. Parts.Where(part => part != "▁")]), 1);
    }

    [Fact]
    public void AddedTokensAreFoundWithWhatTheyStrip()
    {
        Tokenizer tokenizer = Tokenizer.Load(Data.File("tokenizers", "phi3"));
        TokenBorders borders = new(tokenizer);
        const string text = "<|user|>\nHi there<|end|>\n<|assistant|>\nHo ho<|end|>\n";
        int answer = text.IndexOf("Ho", StringComparison.Ordinal), end = text.LastIndexOf('\n');
        (int[] ids, int[] first) = Encode(borders, tokenizer, text, [answer, end]);
        Assert.Equal(tokenizer.Encode(text, addSpecial: false), ids);
        Assert.Equal(tokenizer.IdOf("<|assistant|>"), ids[first[0] - 1]);
        Assert.Equal(tokenizer.IdOf("<|end|>"), ids[first[1] - 1]);
        Assert.Equal("Ho ho<|end|>", tokenizer.Decode(ids.AsSpan(first[0], first[1] - first[0])).Trim());
    }

    [Fact]
    public void ATokenAcrossAPlaceBeginsBeforeIt()
    {
        Tokenizer tokenizer = Tokenizer.Load(Data.File("tokenizers", "qwen2"));
        const string text = "assistant\n\nHi";
        (int[] ids, int[] first) = Encode(new TokenBorders(tokenizer), tokenizer, text, [9, 10, 11]);
        Assert.Equal(["assistant", "\n\n", "Hi"], ids.Select(id => tokenizer.Decode([id])));
        Assert.Equal([1, 2, 2], first);
    }

    [Fact]
    public void CharactersNormalizedAsOneBelongToTheFirst()
    {
        Tokenizer tokenizer = Tokenizer.Load(Data.File("tokenizers", "qwen2"));
        // NFC makes one letter of two, and of a Hangul syllable's parts; the place lies between them.
        (string Before, string Behind, string Normalized, int At)[] cases =
            [("cafe", "\u0301 au lait", "caf\u00e9 au lait", 4), ("\u1112\u1161", "\u11ab\uae00", "\ud55c\uae00", 1), ("k", "\u0301b", "\u1e31b", 1), ("a", "\u0323\u0302b", "\u1eadb", 1)];
        foreach ((string before, string behind, string normalized, int at) in cases)
        {
            (int[] ids, int[] first) = Encode(new TokenBorders(tokenizer), tokenizer, before + behind, [before.Length]);
            Assert.Equal(tokenizer.Encode(normalized), ids);
            int[] starts = [.. ids.Select((_, i) => ids.Take(i).Sum(id => tokenizer.BytesOf(id).Length))];
            Assert.Equal(First(starts, Encoding.UTF8.GetByteCount(normalized.AsSpan(0, at))), first[0]);
        }
    }

    [Fact]
    public void UnigramTokensAreTracedOverUnknownCharacters()
    {
        Tokenizer tokenizer = Tokenizer.Load(Data.File("tokenizers", "sentencepiece", "test_model.model"));
        TokenBorders borders = new(tokenizer);
        Random random = new(3);
        for (int n = 0; n < 100; n++)
        {
            // The model's normalizer leaves single blanks between words alone.
            string text = string.Join(' ', Enumerable.Range(0, 1 + random.Next(8)).Select(_ => new[] { "Hello", "world", "there", "I", "am", "he's", "x", "unseen" }[random.Next(8)]));
            int[] places = [.. Enumerable.Range(0, text.Length + 1)];
            (int[] ids, int[] first) = Encode(borders, tokenizer, text, places);
            int[] starts = [.. ids.Select((_, i) => Math.Max(0, ids.Take(i).Sum(id => tokenizer.TextOf(id)!.Length) - 1))];
            Assert.Equal(places.Select(place => First(starts, place)), first);
        }

        const string unknown = "he 世界世 is";
        (int[] all, int[] at) = Encode(borders, tokenizer, unknown, [3, 4, 6, 7]);
        int token = Array.IndexOf(all, tokenizer.UnknownId!.Value);
        Assert.True(token > 0);
        Assert.Equal([token, token + 1, token + 1, token + 2], at);
    }

    // A mark that is put in begins with the character behind it, one that stands for a blank with the blank.
    [Theory]
    [InlineData("first", "ab a", new[] { 0, 1, 2, 3, 3 })]
    [InlineData("always", "ab a", new[] { 0, 1, 2, 3, 3 })]
    [InlineData("never", "ab a", new[] { 0, 1, 1, 2, 2 })]
    [InlineData("first", " ab", new[] { 0, 1, 1, 2 })]
    [InlineData("never", " ab", new[] { 0, 1, 1, 2 })]
    [InlineData("first", "a<s>b a", new[] { 0, 1, 2, 2, 2, 3, 4, 4 })]
    [InlineData("always", "a<s>b a", new[] { 0, 1, 2, 2, 2, 4, 5, 5 })]
    [InlineData("never", "a<s>b a", new[] { 0, 1, 2, 2, 2, 3, 4, 4 })]
    [InlineData("first", "", new[] { 0 })]
    public void MetaspaceMarksAreBlanks(string scheme, string text, int[] expected)
    {
        Tokenizer tokenizer = Metaspace($$"""{"type": "Metaspace", "replacement": "▁", "prepend_scheme": "{{scheme}}", "split": true}""");
        (int[] ids, int[] first) = Encode(new TokenBorders(tokenizer), tokenizer, text, [.. Enumerable.Range(0, text.Length + 1)]);
        Assert.Equal(tokenizer.Encode(text, addSpecial: false), ids);
        Assert.Equal(expected, first);
    }

    [Fact]
    public void WhatDropsTextIsRefused()
    {
        Tokenizer tokenizer = Metaspace("""{"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always"}]}""");
        Assert.Equal("pre_tokenizer", Assert.Throws<InvalidInputException>(() => new TokenBorders(tokenizer)).Field);
    }

    [Fact]
    public void WhatIsDoneAtTheEndsOfATextIsNotDoneAtAPlace()
    {
        Tokenizer tokenizer = Metaspace("""{"type": "Metaspace", "replacement": "▁", "prepend_scheme": "never", "split": false}""", """{"type": "Strip", "strip_left": true, "strip_right": true}""");
        (int[] ids, int[] first) = Encode(new TokenBorders(tokenizer), tokenizer, "  b b ", [.. Enumerable.Range(0, 7)]);
        Assert.Equal([2, 0, 2], ids);
        // Blanks that are gone lie before what follows them; the last one has nothing behind it.
        Assert.Equal([0, 0, 0, 1, 2, 3, 3], first);
    }

    [Fact]
    public void ATokenThatBeginsAmongReorderedCharactersIsRefusedNotGuessed()
    {
        Tokenizer tokenizer = Metaspace("""{"type": "Metaspace", "replacement": "▁", "prepend_scheme": "never", "split": false}""", """{"type": "NFD"}""");
        TokenBorders borders = new(tokenizer);
        // The mark below goes before the one above.
        Assert.Equal("tokens", Assert.Throws<InvalidInputException>(() => Encode(borders, tokenizer, "a\u0301\u0323b", [2])).Field);
        Assert.Equal([0, 3], Encode(borders, tokenizer, "a\u0301\u0323b", [0, 3]).First);
    }

    private static Tokenizer Metaspace(string preTokenizer, string normalizer = "null") => Tokenizer.FromJson(Encoding.UTF8.GetBytes($$$"""
        {"added_tokens": [{"id": 7, "content": "<s>", "special": true}], "normalizer": {{{normalizer}}}, "pre_tokenizer": {{{preTokenizer}}}, "post_processor": null, "decoder": null,
         "model": {"type": "BPE", "unk_token": null, "vocab": {"▁": 0, "a": 1, "b": 2, "▁a": 3, "ab": 4, "▁ab": 5, "<": 6, "\u0301": 8, "\u0323": 9},
         "merges": [["▁", "a"], ["a", "b"], ["▁", "ab"]]}}
        """), "x");

    private static string Random(Random random, string[] parts) => string.Concat(Enumerable.Range(0, random.Next(1, 30)).Select(_ => parts[random.Next(parts.Length)]));

    private static (int[] Ids, int[] First) Encode(TokenBorders borders, Tokenizer tokenizer, string text, int[] places)
    {
        Workspace workspace = tokenizer.Engine.Rent();
        // What was encoded before stays and is counted.
        workspace.Append(1);
        int[] first = borders.Encode(text, places, workspace);
        int[] ids = workspace.Ids.AsSpan(1, workspace.Count - 1).ToArray();
        tokenizer.Engine.Return(workspace);
        return (ids, [.. first.Select(index => index - 1)]);
    }

    private static void Check(TokenBorders borders, Tokenizer tokenizer, string text, int before)
    {
        int[] places = [.. Enumerable.Range(0, text.Length + 1).Where(at => at == text.Length || !char.IsLowSurrogate(text[at]))];
        (int[] ids, int[] first) = Encode(borders, tokenizer, text, places);
        Assert.Equal(tokenizer.Encode(text, addSpecial: false), ids);
        int[] starts = new int[ids.Length];
        int at = -before;
        for (int i = 0; i < ids.Length; i++)
        {
            starts[i] = Math.Max(0, at);
            at += tokenizer.BytesOf(ids[i]).Length;
        }

        Assert.Equal(Encoding.UTF8.GetByteCount(text), at);
        Assert.Equal(places.Select(place => First(starts, Encoding.UTF8.GetByteCount(text.AsSpan(0, place)))), first);
    }

    private static int First(int[] starts, int place) => Array.FindIndex(starts, start => start >= place) is int found and >= 0 ? found : starts.Length;
}
