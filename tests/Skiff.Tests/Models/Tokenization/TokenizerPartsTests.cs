using System.Text;
using Skiff.Models;

namespace Skiff.Tests.Models.Tokenization;

/// <summary>Each component by itself, on the examples of its definition.</summary>
public sealed class TokenizerPartsTests
{
    private const string Model = ""","model":{"type":"BPE","vocab":{},"merges":[]}}""";

    [Theory]
    [InlineData("Removed", "the|final|countdown")]
    [InlineData("Isolated", "the|-|final|-|-|countdown")]
    [InlineData("MergedWithPrevious", "the-|final-|-|countdown")]
    [InlineData("MergedWithNext", "the|-final|-|-countdown")]
    [InlineData("Contiguous", "the|-|final|--|countdown")]
    public void ASplitTreatsItsMatchesAsItSays(string behavior, string pieces) =>
        Assert.Equal(pieces, Cut("the-final--countdown", $$$"""{"type":"Split","pattern":{"String":"-"},"behavior":"{{{behavior}}}","invert":false}"""));

    [Theory]
    [InlineData("""{"type":"Split","pattern":{"Regex":"\\d+"},"behavior":"Removed","invert":true}""", "a12b345", "12|345")]
    [InlineData("""{"type":"Digits","individual_digits":true}""", "Call 911!", "Call |9|1|1|!")]
    [InlineData("""{"type":"Digits","individual_digits":false}""", "Call 911!", "Call |911|!")]
    [InlineData("""{"type":"Punctuation"}""", "Hi, you--there", "Hi|,| you|-|-|there")]
    [InlineData("""{"type":"Punctuation","behavior":"Contiguous"}""", "Hi, you--there", "Hi|,| you|--|there")]
    [InlineData("""{"type":"Whitespace"}""", "Hey man, what's\tup?", "Hey|man|,|what|'|s|up|?")]
    [InlineData("""{"type":"WhitespaceSplit"}""", " Hey  man,\tup? ", "Hey|man,|up?")]
    [InlineData("""{"type":"BertPreTokenizer"}""", "Hey friend!  How's it?", "Hey|friend|!|How|'|s|it|?")]
    [InlineData("""{"type":"CharDelimiterSplit","delimiter":"x"}""", "axbxxc", "a|b|c")]
    [InlineData("""{"type":"Metaspace","replacement":"_","prepend_scheme":"always"}""", "Hey  friend", "_Hey|_|_friend")]
    [InlineData("""{"type":"Metaspace","replacement":"_","prepend_scheme":"never","split":false}""", "Hey friend", "Hey_friend")]
    [InlineData("""{"type":"Metaspace","replacement":"_","add_prefix_space":false}""", "Hey friend", "Hey|_friend")]
    [InlineData("""{"type":"ByteLevel","add_prefix_space":true}""", "Hi \u00E9!", "\u0120Hi|\u0120\u00C3\u00A9|!")]
    [InlineData("""{"type":"Sequence","pretokenizers":[{"type":"WhitespaceSplit"},{"type":"Punctuation"}]}""", "a, b", "a|,|b")]
    [InlineData("""{"type":"Split","pattern":{"Regex":"\\w+"},"behavior":"Removed","invert":true}""", "a\u0903\u2167 \uD835\uDC00\uD835\uDC01!", "a\u0903\u2167|\uD835\uDC00\uD835\uDC01")]
    [InlineData("""{"type":"Split","pattern":{"Regex":"[^\\r\\n\\p{L}\\p{N}]?+\\p{L}++|\\p{N}{1,2}|\\s+$"},"behavior":"Isolated"}""", "ab cd123  \nx  ", "ab| cd|12|3|  |\n|x|  ")]
    public void EveryPreTokenizerCutsAsDefined(string part, string text, string pieces) => Assert.Equal(pieces, Cut(text, part));

    [Theory]
    [InlineData("""{"type":"NFD"}""", "\u00E9\uAC01", "e\u0301\u1100\u1161\u11A8")]
    [InlineData("""{"type":"NFC"}""", "e\u0301\u1100\u1161\u11A8\u0958", "\u00E9\uAC01\u0915\u093C")]
    [InlineData("""{"type":"NFC"}""", "a\u0323\u0307 a\u0307\u0323", "\u1EA1\u0307 \u1EA1\u0307")]
    [InlineData("""{"type":"NFKC"}""", "\uFB01\u2460\u1E9B", "fi1\u1E61")]
    [InlineData("""{"type":"NFKD"}""", "\uFB01\u00E9\uD835\uDC00", "fie\u0301A")]
    [InlineData("""{"type":"Lowercase"}""", "\u00C0\u0130\u03A3A", "\u00E0i\u0307\u03C3a")]
    [InlineData("""{"type":"Sequence","normalizers":[{"type":"NFD"},{"type":"StripAccents"}]}""", "\u00E9\u1EAD", "ea")]
    [InlineData("""{"type":"Strip","strip_left":true,"strip_right":false}""", " \ta ", "a ")]
    [InlineData("""{"type":"Replace","pattern":{"Regex":" {2,}"},"content":"$0"}""", "a   b  c", "a$0b$0c")]
    [InlineData("""{"type":"Nmt"}""", "a\u0001\u200Bb\u2581", "a b ")]
    [InlineData("""{"type":"BertNormalizer"}""", "H\u00E9llo\u4E2D\u0000\tx", "hello \u4E2D  x")]
    [InlineData("""{"type":"BertNormalizer","lowercase":false}""", "H\u00E9", "H\u00E9")]
    [InlineData("""{"type":"BertNormalizer","lowercase":false,"strip_accents":true}""", "H\u00E9", "He")]
    public void EveryNormalizerWritesAsDefined(string part, string text, string expected) =>
        Assert.Equal(expected, Tokenizer.FromJson(Encoding.UTF8.GetBytes("""{"normalizer":""" + part + Model), "t").Spec.Normalizer!.Apply(text));

    [Fact]
    public void AddedTokensTakeWhiteSpaceAndStandAloneAsTheySay()
    {
        Tokenizer tokenizer = Tokenizer.FromJson(
            """
            {"added_tokens":[
            {"id":10,"content":"<l>","lstrip":true,"special":true},{"id":11,"content":"<r>","rstrip":true,"special":true},
            {"id":12,"content":"one","single_word":true},{"id":13,"content":"<","special":false},{"id":14,"content":"YES","normalized":true}],
            "normalizer":{"type":"Lowercase"},
            "model":{"type":"BPE","vocab":{"a":0," ":1,"o":2,"n":3,"e":4,"l":5,">":6,"r":7,"y":8,"s":9},"merges":[]}}
            """u8,
            "t");
        Assert.Equal([0, 10, 1, 0], tokenizer.Encode("a \t<l> a"));
        Assert.Equal([0, 1, 11, 0], tokenizer.Encode("a <r>  a"));
        Assert.Equal([12, 1, 2, 3, 4, 0, 1, 12], tokenizer.Encode("one onea one"));
        Assert.Equal([13, 0], tokenizer.Encode("<a"));
        Assert.Equal([14, 14], tokenizer.Encode("YESyes"));
        Assert.Equal([0, 1, 13, 5, 6], tokenizer.Encode("a <l>", parseSpecial: false)[..5]);
        Assert.True(tokenizer.IsSpecial(10));
        Assert.False(tokenizer.IsSpecial(12));
    }

    [Fact]
    public void WordPieceTakesTheLongestTokenFirst()
    {
        Tokenizer bert = Tokenizer.FromJson(
            """
            {"normalizer":{"type":"BertNormalizer"},"pre_tokenizer":{"type":"BertPreTokenizer"},
            "post_processor":{"type":"BertProcessing","sep":["[SEP]",1],"cls":["[CLS]",0]},"decoder":{"type":"WordPiece"},
            "added_tokens":[{"id":0,"content":"[CLS]","special":true},{"id":1,"content":"[SEP]","special":true},{"id":2,"content":"[UNK]","special":true}],
            "model":{"type":"WordPiece","unk_token":"[UNK]","vocab":{"[CLS]":0,"[SEP]":1,"[UNK]":2,"un":3,"##aff":4,"##able":5,"##a":6,",":7,"want":8}}}
            """u8,
            "t");
        int[] ids = bert.Encode("Unaffable, want x wantx");
        Assert.Equal([0, 3, 4, 5, 7, 8, 2, 2, 1], ids);
        Assert.Equal("unaffable, want", bert.Decode(ids.AsSpan(0, 6), skipSpecial: true));
        GgufMetadata metadata = new();
        bert.WriteGguf(metadata);
        Assert.Equal("\u2581un", metadata.Array<string>("tokenizer.ggml.tokens")[3]);
        Assert.Equal(ids, Tokenizer.FromGguf(metadata, "w").Encode("Unaffable, want x wantx"));
    }

    [Fact]
    public void BpeWithAffixesAndUnknownCharactersFollowsTheDefinition()
    {
        Tokenizer clip = Tokenizer.FromJson(
            """
            {"pre_tokenizer":{"type":"WhitespaceSplit"},"decoder":{"type":"BPEDecoder","suffix":"</w>"},
            "model":{"type":"BPE","unk_token":"?","fuse_unk":true,"end_of_word_suffix":"</w>","vocab":{"?":0,"a":1,"b":2,"b</w>":3,"ab</w>":4},"merges":["a b</w>"]}}
            """u8,
            "t");
        Assert.Equal([4, 1, 2, 3, 0, 4], clip.Encode("ab abb xyab"));
        Assert.Equal("ab abb", clip.Decode([4, 1, 2, 3]));
        Tokenizer prefix = Tokenizer.FromJson(
            """{"model":{"type":"BPE","continuing_subword_prefix":"##","vocab":{"a":0,"##b":1,"ab":2},"merges":["a ##b"]}}"""u8, "t");
        Assert.Equal([2, 1], prefix.Encode("abxb"));
    }

    [Fact]
    public void TheChatTemplateComesFromWhereverItLies()
    {
        Assert.Contains("<|im_start|>", TokenizerData.Load("qwen2").ChatTemplate, StringComparison.Ordinal);
        Assert.Contains("<|user|>", TokenizerData.Load("gguf/ggml-vocab-phi-3.gguf").ChatTemplate, StringComparison.Ordinal);
        Assert.Null(TokenizerData.Load("gpt2").ChatTemplate);
        Assert.Equal((1, 32000, 32000), (TokenizerData.Load("phi3").BosId, TokenizerData.Load("phi3").EosId, TokenizerData.Load("phi3").PadId));
        Assert.Equal((128000, 128001), (TokenizerData.Load("llama3/tokenizer.model").BosId, TokenizerData.Load("llama3/tokenizer.model").EosId));
        Assert.Equal([128000, 9906], TokenizerData.Load("llama3/tokenizer.model").Encode("Hello"));
        Assert.Equal("<|eot_id|>", TokenizerData.Load("llama3/tokenizer.model").TextOf(128009));
        Assert.Equal("<|reserved_special_token_246|>", TokenizerData.Load("llama3/tokenizer.model").TextOf(128255));
    }

    private static string Cut(string text, string part)
    {
        Tokenizer tokenizer = Tokenizer.FromJson(Encoding.UTF8.GetBytes("""{"pre_tokenizer":""" + part + Model), "t");
        PieceList pieces = new();
        pieces.Start(text, atStart: true);
        tokenizer.Spec.PreTokenizer!.Apply(pieces);
        return string.Join('|', pieces.Pieces.Select(p => pieces.Text.Substring(p.Start, p.Length)));
    }
}
