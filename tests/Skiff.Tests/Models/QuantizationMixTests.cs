using System.Text.Json.Nodes;
using Skiff.Cli;
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Tests.Models;

public sealed class QuantizationMixTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    // What llama.cpp's loader says of published files of these models.
    [Theory]
    [InlineData("tinyllama-1.1b", "q4_k_m", "F32 45, Q4_K 135, Q6_K 21")]
    [InlineData("tinyllama-1.1b", "q5_k_m", "F32 45, Q5_K 135, Q6_K 21")]
    [InlineData("tinyllama-1.1b", "q4_0", "F32 45, Q4_0 155, Q6_K 1")]
    [InlineData("tinyllama-1.1b", "q8_0", "F32 45, Q8_0 156")]
    [InlineData("tinyllama-1.1b", "q6_k", "F32 45, Q6_K 156")]
    [InlineData("qwen2.5-0.5b", "q4_k_m", "F32 121, Q4_K 12, Q5_0 132, Q6_K 12, Q8_0 13")]
    public void CountsAreThoseOfPublishedFiles(string name, string mix, string counts)
    {
        ModelConfig config = Zoo.Find(name).Config;
        Assert.Equal(counts, Counts(TypesOf(config, mix).Values));
    }

    // By the rules: values of the first four blocks and down projections of the first eighth; the first and last eighth and every third between.
    [Theory]
    [InlineData("q4_k_s", TensorType.Q5_K, "0 1 2 3", "0 1 2")]
    [InlineData("q4_k_m", TensorType.Q6_K, "0 1 2 5 8 11 14 17 20 21 22 23", "0 1 2 5 8 11 14 17 20 21 22 23")]
    [InlineData("q5_k_m", TensorType.Q6_K, "0 1 2 5 8 11 14 17 20 21 22 23", "0 1 2 5 8 11 14 17 20 21 22 23")]
    [InlineData("q5_k_s", TensorType.Q6_K, "", "")]
    public void MixturesFavourTheseBlocks(string mix, TensorType better, string values, string downs)
    {
        Dictionary<string, TensorType> types = TypesOf(Wide("llama", 24), mix);
        Assert.Equal(values, Blocks("attn_v"));
        Assert.Equal(downs, Blocks("ffn_down"));
        Assert.Equal("", Blocks("attn_k"));
        Assert.Equal(TensorType.Q6_K, types["output.weight"]);
        Assert.Equal(Mix(mix).Type, types["token_embd.weight"]);

        string Blocks(string kind) => string.Join(' ', Enumerable.Range(0, 24).Where(l => types[$"blk.{l}.{kind}.weight"] == better));
    }

    [Fact]
    public void FusedValuesCountAsValuesAndEightExpertsGetMore()
    {
        Dictionary<string, TensorType> phi = TypesOf(Zoo.Find("phi-3-mini").Config, "q4_k_m");
        Assert.Equal((TensorType.Q6_K, TensorType.Q4_K), (phi["blk.0.attn_qkv.weight"], phi["blk.4.attn_qkv.weight"]));
        Dictionary<string, TensorType> mixtral = TypesOf(Wide("mixtral", 8), "q4_k_m");
        Assert.Equal(
            (TensorType.Q8_0, TensorType.Q8_0, TensorType.Q5_K, TensorType.Q4_K),
            (mixtral["blk.2.attn_v.weight"], mixtral["blk.2.attn_k.weight"], mixtral["blk.2.attn_output.weight"], mixtral["blk.2.attn_q.weight"]));
        Assert.Equal((TensorType.Q6_K, TensorType.Q4_K), (mixtral["blk.0.ffn_down_exps.weight"], mixtral["blk.1.ffn_down_exps.weight"]));
    }

    [Fact]
    public void AFileHoldsTheMixtureAndReadsBack()
    {
        Model model = RandomModel.Create("wide", Wide("llama", 2), seed: 1, TensorType.F32);
        ModelWriter.Write(model, _folder.File("wide"));
        string file = _folder.File("wide.gguf");
        Assert.Equal((0, "", ""), Run("quantize", _folder.File("wide"), file, "--type", "Q4_K_M"));
        GgufFile gguf = GgufFile.Open(file);
        Assert.True(gguf.Metadata.TryGet("general.file_type", out long number));
        Assert.Equal(15, number);
        // Two blocks: the last eighth begins at 1, and every third after 0 would be 2.
        Assert.Equal(TypesOf(model.Config, "q4_k_m"), gguf.Tensors.ToDictionary(t => t.Key, t => t.Value.Type));
        Assert.Equal((TensorType.Q4_K, TensorType.Q6_K), (gguf.Tensors["blk.0.attn_v.weight"].Type, gguf.Tensors["blk.1.attn_v.weight"].Type));
        // The same file comes from its own source, and a mixture survives a copy.
        ModelWriter.Write(Model.Open(file), _folder.File("copy.gguf"));
        Assert.All(GgufFile.Open(_folder.File("copy.gguf")).Tensors, t => Assert.True(t.Value.Bytes().SequenceEqual(gguf.Tensors[t.Key].Bytes()), t.Key));
    }

    [Fact]
    public void WhatIsQuantizedAlreadyOrFillsNoBlocksIsSaid()
    {
        ModelConfig narrow = ModelConfig.Parse((JsonObject)JsonNode.Parse("""
            {"model_type": "llama", "vocab_size": 300, "hidden_size": 64, "intermediate_size": 256, "num_hidden_layers": 1, "num_attention_heads": 4,
             "num_key_value_heads": 2, "max_position_embeddings": 64, "tie_word_embeddings": true}
            """)!, "narrow");
        string first = _folder.File("first.gguf"), second = _folder.File("second.gguf");
        ModelWriter.Write(RandomModel.Create("narrow", narrow, seed: 1, TensorType.F32), first, TensorType.Q8_0);
        (int code, string output, string error) = Run("quantize", first, second, "--type", "q4_k_m");
        Assert.Equal((0, ""), (code, output));
        string[] notes = error.TrimEnd('\n').Split('\n');
        Assert.Equal(3, notes.Length);
        Assert.Contains("is quantized already (q8_0)", notes[0]);
        // The head goes to q8_0 by rule, so it is no fallback.
        Assert.Contains("5 tensors (attn_q, attn_k, attn_output, ffn_gate, ffn_up) are q5_0: rows of 64 values do not fill q4_k's blocks of 256", notes[1]);
        Assert.Contains("1 tensors (attn_v) are q8_0: rows of 64 values do not fill q6_k's blocks of 256", notes[2]);
        Assert.Equal(TensorType.Q8_0, GgufFile.Open(second).Tensors["token_embd.weight"].Type);
    }

    [Theory]
    [InlineData(2, "--type", "quantize", "m", "out.gguf")]
    [InlineData(2, "--type takes one of q8_0, q4_0", "quantize", "m", "out.gguf", "--type", "q4_k")]
    [InlineData(1, "only a GGUF file holds q4_0", "quantize", "zoo:pythia-14m", "out", "--type", "q4_0")]
    [InlineData(1, "is the model itself", "quantize", "m.gguf", "m.gguf", "--type", "q4_0")]
    public void WhatCannotBeDoneIsOneLine(int code, string problem, params string[] args)
    {
        (int found, string output, string error) = Run(args);
        Assert.Equal((code, ""), (found, output));
        Assert.Contains(problem, error);
        Assert.Equal(1, error.Count(c => c == '\n'));
    }

    private static QuantizationMix Mix(string name) => QuantizationMix.All.Single(m => m.Name == name);

    private static Dictionary<string, TensorType> TypesOf(ModelConfig config, string mix)
    {
        Func<StoredTensor, TensorType> types = Mix(mix).TypesOf(config);
        return GgufLayout.Of(config).Tensors.ToDictionary(t => t.Name, t => t.Parts[0].Parameter.IsMatrix ? ModelWriter.Fitting(types(t), t.Shape[^1]) : TensorType.F32);
    }

    private static string Counts(IEnumerable<TensorType> types) =>
        string.Join(", ", types.GroupBy(t => t.ToString()).OrderBy(g => g.Key, StringComparer.Ordinal).Select(g => $"{g.Key} {g.Count()}"));

    private static ModelConfig Wide(string family, int layers)
    {
        JsonObject json = (JsonObject)JsonNode.Parse("""
            {"vocab_size": 512, "hidden_size": 256, "intermediate_size": 512, "num_attention_heads": 4, "num_key_value_heads": 2,
             "max_position_embeddings": 64, "tie_word_embeddings": false}
            """)!;
        json["model_type"] = family;
        json["num_hidden_layers"] = layers;
        if (family == "mixtral")
            (json["num_local_experts"], json["num_experts_per_tok"]) = (8, 2);
        return ModelConfig.Parse(json, family);
    }

    private static (int Code, string Output, string Error) Run(params string[] args)
    {
        StringWriter output = new() { NewLine = "\n" }, error = new() { NewLine = "\n" };
        int code = Program.Run(args, output, error, TestContext.Current.CancellationToken);
        return (code, output.ToString(), error.ToString());
    }
}
