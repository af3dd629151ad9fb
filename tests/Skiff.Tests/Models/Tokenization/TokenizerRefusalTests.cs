using System.Text;
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Tests.Models.Tokenization;

public sealed class TokenizerRefusalTests
{
    [Theory]
    [InlineData("""{"model":{"type":"BPE","vocab":{"a":0,"b":1,"ab":2},"merges":["a b","a b"]}}""", "t.json: model.merges: 'a' and 'b' are merged twice")]
    [InlineData("""{"model":{"type":"BPE","vocab":{"a":0,"b":1},"merges":["a b"]}}""", "t.json: model.merges: merge 0 makes 'ab', which is not in the vocabulary")]
    [InlineData("""{"model":{"type":"BPE","vocab":{"a":0},"merges":["a c"]}}""", "t.json: model.merges: merge 0 names 'c', which is not in the vocabulary")]
    [InlineData("""{"model":{"type":"BPE","vocab":{"a":0,"##":1},"merges":["a ##"],"continuing_subword_prefix":"##"}}""", "t.json: model.merges: merge 0 of 'a' and '##' adds nothing")]
    [InlineData("""{"model":{"type":"BPE","vocab":{"a":0,"":1},"merges":[["a",""]]}}""", "t.json: model.merges: merge 0 of 'a' and '' adds nothing")]
    [InlineData("""{"model":{"type":"BPE","vocab":{"a":0},"merges":["a a a"]}}""", "t.json: model.merges: merge 0 is not a pair of tokens")]
    [InlineData("""{"model":{"type":"BPE","vocab":{"a":0},"merges":[7]}}""", "t.json: model.merges: merge 0 is not a pair of tokens")]
    [InlineData("""{"model":{"type":"BPE","vocab":{"a":2147483647},"merges":[]}}""", "t.json: model.vocab: token 'a' has id 2147483647, out of range for 1 tokens")]
    [InlineData("""{"model":{"type":"BPE","vocab":{"a":2147483648},"merges":[]}}""", "t.json: model.vocab: the id of 'a' is not a whole number of 32 bits")]
    [InlineData("""{"model":{"type":"BPE","vocab":{"a":-1},"merges":[]}}""", "t.json: model.vocab: token 'a' has id -1, out of range for 1 tokens")]
    [InlineData("""{"model":{"type":"BPE","vocab":{"a":0,"b":0},"merges":[]}}""", "t.json: model.vocab: id 0 is given to 'a' and to 'b'")]
    [InlineData("""{"model":{"type":"BPE","vocab":{"a":0,"a":1},"merges":[]}}""", "t.json: model.vocab: token 'a' has two ids, 0 and 1")]
    [InlineData("""{"model":{"type":"BPE","vocab":{"a":0},"merges":[],"dropout":0.1}}""", "t.json: model.dropout: encoding with dropout is random and not supported; set it to null")]
    [InlineData("""{"model":{"type":"BPE","vocab":{"a":0},"merges":[],"unk_token":"?"}}""", "t.json: model.unk_token: '?' is not in the vocabulary")]
    [InlineData("""{"model":{"type":"WordLevel","vocab":{}}}""", "t.json: model: model 'WordLevel' is not supported")]
    [InlineData("""{"model":{"type":"Unigram","vocab":[["a",0]],"unk_id":1}}""", "t.json: model: unk_id 1 is outside the 1 tokens")]
    [InlineData("""{"model":{"type":"Unigram","vocab":[["a","x"]]}}""", "t.json: model.vocab[0]: is not a finite number")]
    [InlineData("""{"normalizer":{"type":"Odd"},"model":{"type":"BPE","vocab":{},"merges":[]}}""", "t.json: normalizer: normalizer 'Odd' is not supported")]
    [InlineData("""{"normalizer":{"type":"Precompiled","precompiled_charsmap":"/////w=="},"model":{"type":"BPE","vocab":{},"merges":[]}}""", "t.json: normalizer.precompiled_charsmap: the character map's trie does not fit its bytes")]
    [InlineData("""{"pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"UnicodeScripts"}]},"model":{"type":"BPE","vocab":{},"merges":[]}}""", "t.json: pre_tokenizer.pretokenizers[0]: pre-tokenizer 'UnicodeScripts' is not supported")]
    [InlineData("""{"pre_tokenizer":{"type":"Split","pattern":{"Regex":"[a&&b]"},"behavior":"Isolated"},"model":{"type":"BPE","vocab":{},"merges":[]}}""", "t.json: pre_tokenizer.pattern.Regex: expression '[a&&b]' has a character class within a class, which is not supported")]
    [InlineData("""{"pre_tokenizer":{"type":"Split","pattern":{"String":"a"},"behavior":"Melted"},"model":{"type":"BPE","vocab":{},"merges":[]}}""", "t.json: pre_tokenizer: behavior 'Melted' is not known")]
    [InlineData("""{"post_processor":{"type":"Odd"},"model":{"type":"BPE","vocab":{},"merges":[]}}""", "t.json: post_processor: post-processor 'Odd' is not supported")]
    [InlineData("""{"decoder":{"type":"CTC"},"model":{"type":"BPE","vocab":{},"merges":[]}}""", "t.json: decoder: decoder 'CTC' is not supported")]
    [InlineData("""{"added_tokens":[{"id":9,"content":"a"}],"model":{"type":"BPE","vocab":{"a":0},"merges":[]}}""", "t.json: added_tokens: 'a' has id 9, but 0 in the vocabulary")]
    [InlineData("""{"added_tokens":[{"id":2000000000,"content":"x"}],"model":{"type":"BPE","vocab":{"a":0},"merges":[]}}""", "t.json: added_tokens: 'x' has id 2000000000, out of range for 2 tokens")]
    [InlineData("""{"model":7}""", "t.json: model: is not a JSON object")]
    [InlineData("""[]""", "t.json: json: is not a JSON object")]
    public void AnUnusableTokenizerJsonIsRefusedInOneLine(string json, string line)
    {
        InvalidInputException refusal = Assert.Throws<InvalidInputException>(() => Tokenizer.FromJson(Encoding.UTF8.GetBytes(json), "t.json"));
        Assert.Equal(line, refusal.Message);
    }

    [Theory]
    [InlineData("IQ== 0\nIQ== 1\n", "ranks: token '!' has two ids, 0 and 1")]
    [InlineData("IQ== 0\nIg== 0\n", "ranks: id 0 is given to '!' and to '\"'")]
    [InlineData("IQ== 2147483647\n", "ranks: token '!' has id 2147483647, out of range for 1 tokens")]
    [InlineData("IQ== 99999999999\n", "line 1: is not a token in base64, a space and a rank")]
    [InlineData("I 0\n", "line 1: the token is not base64, empty or over 768 bytes long")]
    [InlineData("IQ== 0\n", "ranks: 1 tokens are of no known family (Llama 3 has 128000, cl100k 100256, GPT-2 50256)")]
    public void AnUnusableRankTableIsRefusedInOneLine(string table, string line)
    {
        InvalidInputException refusal = Assert.Throws<InvalidInputException>(() => TiktokenReader.Read(Encoding.UTF8.GetBytes(table), "t"));
        Assert.Equal("t: " + line, refusal.Message);
    }

    [Fact]
    public void AnUnusableGgufVocabularyIsRefusedInOneLine()
    {
        Assert.Equal("v: tokenizer.ggml.model: is missing from the metadata", Refusal());
        Assert.StartsWith("v: tokenizer.ggml.model: 'rwkv' is not supported", Refusal(("tokenizer.ggml.model", "rwkv")), StringComparison.Ordinal);
        (string, object) tokens = ("tokenizer.ggml.tokens", new[] { "a", "b" });
        (string, object) merges = ("tokenizer.ggml.merges", Array.Empty<string>());
        Assert.StartsWith(
            "v: tokenizer.ggml.pre: pre-tokenizer 'odd' is not known; known are gpt-2, ",
            Refusal(("tokenizer.ggml.model", "gpt2"), tokens, merges, ("tokenizer.ggml.pre", "odd")),
            StringComparison.Ordinal);
        Assert.Equal(
            "v: tokenizer.ggml.bos_token_id: 4000000000 is outside the 2 tokens",
            Refusal(("tokenizer.ggml.model", "gpt2"), tokens, merges, ("tokenizer.ggml.bos_token_id", 4_000_000_000u)));
        Assert.Equal(
            "v: tokenizer.ggml.scores: has 1 entries for 2 tokens",
            Refusal(("tokenizer.ggml.model", "llama"), tokens, ("tokenizer.ggml.scores", new[] { 1f })));
        Assert.Equal(
            "v: tokenizer.ggml.token_type: has 1 entries for 2 tokens, or one that is not 0 to 6",
            Refusal(("tokenizer.ggml.model", "llama"), tokens, ("tokenizer.ggml.scores", new[] { 1f, 2f }), ("tokenizer.ggml.token_type", new[] { 1 })));
        Assert.Equal(
            "v: tokenizer.ggml.merges: merge 0 names 'c', which is not in the vocabulary",
            Refusal(("tokenizer.ggml.model", "gpt2"), tokens, ("tokenizer.ggml.merges", new[] { "a c" })));
    }

    [Fact]
    public void AFolderWithoutATokenizerSaysWhatIsMissing()
    {
        InvalidInputException refusal = Assert.Throws<InvalidInputException>(() => Tokenizer.Load(Data.Root));
        Assert.EndsWith("tokenizer: the folder has no tokenizer.json, vocab.json with merges.txt, tokenizer.model or tokenizer.bin", refusal.Message, StringComparison.Ordinal);
        Assert.Throws<InvalidInputException>(() => Tokenizer.Load(Path.Combine(Data.Root, "no such file")));
    }

    private static string Refusal(params (string Key, object Value)[] pairs)
    {
        GgufMetadata metadata = new();
        foreach ((string key, object value) in pairs)
            metadata.Add(key, value);
        return Assert.Throws<InvalidInputException>(() => Tokenizer.FromGguf(metadata, "v")).Message;
    }
}
