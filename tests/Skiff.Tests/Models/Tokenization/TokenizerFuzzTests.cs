using System.Text;
using Skiff.Fuzz;
using Skiff.Tests.Fuzzing;

namespace Skiff.Tests.Models.Tokenization;

public sealed class TokenizerFuzzTests
{
    private static readonly string[] s_json =
    [
        """{"added_tokens":[{"id":3,"content":"<s>","special":true,"lstrip":true}],"pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false},"decoder":{"type":"ByteLevel"},"model":{"type":"BPE","vocab":{"a":0,"b":1,"ab":2},"merges":["a b"]}}""",
        """{"normalizer":{"type":"Sequence","normalizers":[{"type":"Prepend","prepend":"_"},{"type":"NFKC"},{"type":"Replace","pattern":{"String":" "},"content":"_"}]},"post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"a","type_id":0}},{"Sequence":{"id":"A","type_id":0}}],"special_tokens":{"a":{"id":"a","ids":[0],"tokens":["a"]}}},"decoder":{"type":"Sequence","decoders":[{"type":"ByteFallback"},{"type":"Fuse"},{"type":"Strip","content":" ","start":1,"stop":0}]},"model":{"type":"BPE","unk_token":"a","fuse_unk":true,"byte_fallback":true,"vocab":{"a":0,"_":1,"_a":2},"merges":[["_","a"]]}}""",
        """{"pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":"\\p{N}{1,3}|\\s+(?!\\S)"},"behavior":"Isolated","invert":false},{"type":"Metaspace","replacement":"_","prepend_scheme":"first"}]},"decoder":{"type":"Metaspace","replacement":"_"},"model":{"type":"Unigram","unk_id":0,"vocab":[["u",0.0],["_a",-1.5],["b",-2.25]],"byte_fallback":false}}""",
        """{"normalizer":{"type":"BertNormalizer","lowercase":true},"pre_tokenizer":{"type":"BertPreTokenizer"},"post_processor":{"type":"BertProcessing","sep":["b",1],"cls":["a",0]},"decoder":{"type":"WordPiece","prefix":"##","cleanup":true},"model":{"type":"WordPiece","unk_token":"a","vocab":{"a":0,"b":1,"##b":2}}}""",
    ];

    [Fact]
    public void TokenizerJsonSurvivesMutation() =>
        Mutation.Check([.. s_json.Select(Encoding.UTF8.GetBytes)], FuzzTargets.All["tokenizer.json"]);

    [Fact]
    public void SentencePieceModelsSurviveMutation()
    {
        (string Text, float Score, byte Type)[] pieces = [("u", 0, 2), ("<s>", 0, 3), ("<0x0A>", 0, 6), ("\u2581", -1, 1), ("a", -2, 1), ("\u2581a", -3, 1), ("b", -4, 4)];
        byte[] charsMap = [8, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, (byte)'x', 0];
        List<byte[]> seeds = [];
        foreach (byte kind in new byte[] { 1, 2 })
        {
            List<byte> model = [];
            foreach ((string text, float score, byte type) in pieces)
            {
                byte[] name = Encoding.UTF8.GetBytes(text);
                model.AddRange([0x0A, (byte)(name.Length + 9), 0x0A, (byte)name.Length, .. name, 0x15, .. BitConverter.GetBytes(score), 0x18, type]);
            }

            model.AddRange([0x12, 4, 0x18, kind, 0x98, 0x00]);
            model[^2] = 0x38;
            model.AddRange([0x1A, (byte)(charsMap.Length + 6), 0x12, (byte)charsMap.Length, .. charsMap, 0x18, 1, 0x20, 1]);
            seeds.Add([.. model]);
        }

        foreach (byte[] seed in seeds)
            FuzzTargets.All["sentencepiece"](seed);
        Mutation.Check(seeds, FuzzTargets.All["sentencepiece"]);
    }

    [Fact]
    public void Llama2cTokenizersSurviveMutation()
    {
        List<byte> file = [8, 0, 0, 0];
        foreach (string token in new[] { "<unk>", "\n<s>\n", "\n</s>\n", "<0x0A>", " ", "a", " a", "b" })
        {
            byte[] bytes = Encoding.UTF8.GetBytes(token);
            file.AddRange([.. BitConverter.GetBytes(-(float)file.Count), .. BitConverter.GetBytes(bytes.Length), .. bytes]);
        }

        Mutation.Check([[.. file]], FuzzTargets.All["llama2c-tokenizer"]);
    }

    [Fact]
    public void RankTablesSurviveMutation() =>
        Mutation.Check(
            ["YQ== 0\nYg== 1\nYWI= 2\nIGE= 3\nIA== 4\n"u8.ToArray()],
            FuzzTargets.All["tiktoken"]);
}
