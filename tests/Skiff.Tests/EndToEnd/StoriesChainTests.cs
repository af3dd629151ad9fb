using System.Text.Json;
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Tests.EndToEnd;

/// <summary>Conversions of the story model: what others computed with it holds in every form.</summary>
public sealed class StoriesChainTests(StoriesChain chain) : IClassFixture<StoriesChain>
{
    public static TheoryData<string, int> TextsOfEachForm =>
        [.. from form in new[] { "folder", "gguf" } from number in Enumerable.Range(0, 10) select (form, number)];

    [Theory]
    [MemberData(nameof(TextsOfEachForm))]
    public void RawTextIsRunCsByteForByte(string form, int number)
    {
        JsonElement wanted = Stories260k.Generations()[number];
        Assert.Equal(wanted.GetProperty("text").GetString() + "\n", CommandLine.Output(Stories260k.RunC(wanted, chain.Form(form))));
    }

    [Theory]
    [InlineData("folder")]
    [InlineData("gguf")]
    public void EveryReferenceLogitIsMet(string form)
    {
        Assert.SkipUnless(Directory.Exists(Data.Folder), "the data folder is absent");
        Stories260k.AssertLogits(chain.Form(form));
    }

    // The other forms hold the same bits, as the next test shows.
    [Theory]
    [InlineData("reference_nll.v1-train.jsonl.gz")]
    [InlineData("reference_nll.v2-gpt4.jsonl.gz")]
    public void EveryReferenceLikelihoodIsMetByTheGgufFile(string name)
    {
        Assert.SkipUnless(Directory.Exists(Data.Folder), "the data folder is absent");
        Stories260k.AssertLikelihoods(name, chain.Gguf);
    }

    [Theory]
    [InlineData("folder")]
    [InlineData("gguf")]
    [InlineData("bin")]
    [InlineData("folder again")]
    [InlineData("folder of version 1")]
    public void EveryParameterKeepsItsBits(string form)
    {
        Model wanted = Stories260k.Open(), found = Model.Open(chain.Form(form));
        foreach (Parameter parameter in ParameterList.Of(wanted.Config))
        {
            Tensor a = wanted.Parameter(parameter.Name), b = found.Parameter(parameter.Name);
            Assert.Equal(TensorType.F32, b.Type);
            Assert.True(a.Bytes().SequenceEqual(b.Bytes()), parameter.Name);
        }
    }

    [Fact]
    public void FilesOfTheSameFormAreTheSameFiles()
    {
        Assert.SkipUnless(Directory.Exists(Data.Folder), "the data folder is absent");
        foreach (string file in new[] { "config.json", "generation_config.json", "model.safetensors" })
        {
            byte[] first = File.ReadAllBytes(Path.Combine(chain.Folder, file));
            Assert.True(first.AsSpan().SequenceEqual(File.ReadAllBytes(Path.Combine(chain.FolderAgain, file))), file);
            Assert.True(first.AsSpan().SequenceEqual(File.ReadAllBytes(Path.Combine(chain.FolderOfV1, file))), file);
        }

        // Only the two tables at the end, which no program reads, are computed anew.
        byte[] published = File.ReadAllBytes(Stories260k.Checkpoint), again = File.ReadAllBytes(chain.Bin);
        Assert.Equal(published.Length, again.Length);
        int parameters = 28 + 4 * 260_032;
        Assert.True(published.AsSpan(0, parameters).SequenceEqual(again.AsSpan(0, parameters)));
    }

    [Theory]
    [InlineData("folder")]
    [InlineData("gguf")]
    [InlineData("folder again")]
    public void TheTokenizerComesAlong(string form)
    {
        Tokenizer wanted = Stories260k.Open().Tokenizer, found = Model.Open(chain.Form(form)).Tokenizer;
        Assert.Equal((wanted.BosId, wanted.EosId, wanted.VocabularySize), (found.BosId, found.EosId, found.VocabularySize));
        foreach (JsonElement line in Stories260k.Lines("reference_nll.v1-train.jsonl.gz").Take(50))
        {
            int[] ids = [.. line.GetProperty("tokens").EnumerateArray().Select(id => id.GetInt32())];
            string text = wanted.Decode(ids, skipSpecial: true);
            Assert.Equal(text, found.Decode(ids, skipSpecial: true));
            Assert.Equal(wanted.Encode(text), found.Encode(text));
        }
    }

    [Fact]
    public void InfoTellsTheFigures()
    {
        Assert.SkipUnless(Directory.Exists(Data.Folder), "the data folder is absent");
        foreach (string form in new[] { "folder", "gguf", "bin" })
        {
            JsonElement info = JsonSerializer.Deserialize<JsonElement>(CommandLine.Output("info", chain.Form(form), "--json", "--tensors"));
            (string, int)[] wanted =
            [
                ("parameters", 260_032), ("parameters_non_embedding", 227_264), ("layers", 5), ("hidden_size", 64), ("heads", 8), ("kv_heads", 4),
                ("head_dim", 8), ("intermediate_size", 172), ("vocab_size", 512), ("max_position_embeddings", 512), ("kv_bytes_per_token_fp16", 2 * 2 * 5 * 32),
            ];
            foreach ((string name, int value) in wanted)
                Assert.Equal(value, info.GetProperty(name).GetInt32());
            Assert.Equal(("llama", "f32"), (info.GetProperty("model_type").GetString(), info.GetProperty("type").GetString()));
            Assert.Equal(260_032, info.GetProperty("tensors").EnumerateArray().Sum(t => t.GetProperty("shape").EnumerateArray().Aggregate(1, (n, s) => n * s.GetInt32())));
        }
    }

    [Fact]
    public void ABlockTypeThatDoesNotFitIsToldInOneLineOfEachKind()
    {
        Assert.SkipUnless(Directory.Exists(Data.Folder), "the data folder is absent");
        (int code, _, string error) = CommandLine.Run("convert", chain.Folder, chain.File("q4_k.gguf"), "--type", "q4_k");
        Assert.Equal(0, code);
        Assert.Equal(
            "skiff: note: 31 tensors (token_embd, attn_q, attn_k, attn_v, attn_output, ffn_gate, ffn_up) are q5_0: rows of 64 values do not fill q4_k's blocks of 256\n"
            + "skiff: note: 5 tensors (ffn_down) are f16: rows of 172 values do not fill q4_k's blocks of 256\n", error);
        Assert.Equal(TensorType.Q5_0, Model.Open(chain.File("q4_k.gguf")).Type);
    }
}
