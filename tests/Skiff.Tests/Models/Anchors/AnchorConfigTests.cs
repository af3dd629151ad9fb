using System.Text;
using System.Text.Json.Nodes;
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Tests.Models;

/// <summary>A model's rule in its files.</summary>
public sealed class AnchorConfigTests
{
    private const string Llama = """
        "model_type": "llama", "vocab_size": 320, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "max_position_embeddings": 64
        """;

    private static readonly AnchorConfig s_all = new()
    {
        EndIds = [0, 5],
        StopIds = [7],
        NotAfterIds = [8, 9],
        LetterIds = [11],
        AddedId = 319,
        AnchorsSeeAnchors = true,
        AnchorsPerSegment = 2,
        SegmentsPerGroup = 4,
        MaxSegment = 32,
        Sinks = 4,
        LastVisible = 16,
    };

    [Fact]
    public void WhatIsWrittenIsReadAgain()
    {
        foreach (AnchorConfig config in new[] { s_all, new AnchorConfig { EndIds = [3] }, new AnchorConfig { MaxSegment = 8, LastAnchors = 3 } })
        {
            ModelConfig read = Read(config.ToJson().ToJsonString());
            Assert.Equal(config, read.Anchors);
            Assert.Equal(config.GetHashCode(), read.Anchors!.GetHashCode());
            Assert.NotEqual(config with { MaxSegment = 9 }, read.Anchors);
            // Changed keys keep it.
            Assert.Equal(config, read.With(new Dictionary<string, JsonNode?> { ["rope_theta"] = 5000.0 }).Anchors);
        }

        Assert.Null(ModelConfig.Parse(Encoding.UTF8.GetBytes($"{{{Llama}}}"), "config.json").Anchors);
    }

    [Theory]
    [InlineData("""{"end_ids": [320]}""", "anchors.end_ids: 320 is not one of the 320 tokens")]
    [InlineData("""{"end_ids": [-1]}""", "anchors.end_ids: -1 is not one of the 320 tokens")]
    [InlineData("""{"end_ids": [1.5]}""", "anchors.end_ids: 1.5 is not one of the 320 tokens")]
    [InlineData("""{}""", "no segment would ever close")]
    [InlineData("""{"end_ids": [1], "anchors_per_segment": 0}""", "anchors.anchors_per_segment")]
    [InlineData("""{"end_ids": [1], "anchors_per_segment": 5, "max_segment": 4}""", "anchors.max_segment: 4 is below anchors_per_segment 5")]
    [InlineData("""{"end_ids": [1], "sinks": 4, "last_anchors": 4}""", "exclude each other")]
    [InlineData("""{"end_ids": [1], "anchors_per_segment": 65}""", "anchors.anchors_per_segment")]
    [InlineData("""{"end_ids": [1], "segments_per_group": 1}""", "anchors.segments_per_group: a group has two segments or more")]
    [InlineData("""{"end_ids": [1], "segments_per_group": 2, "last_anchors": 4}""", "exclude each other")]
    [InlineData("""{"end_ids": [1], "windows": 4}""", "anchors.windows")]
    [InlineData("""[1]""", "anchors: must be an object")]
    public void WhatMakesNoRuleIsRefused(string json, string problem) => Assert.Contains(problem, Assert.Throws<InvalidInputException>(() => Read(json)).Message);

    [Fact]
    public void GgufCarriesIt()
    {
        using TemporaryFolder folder = new();
        ModelConfig config = Read(s_all.ToJson().ToJsonString());
        Tokenizer tokenizer = ByteLevelTokenizer.Create(320);
        Dictionary<string, Tensor> tensors = ParameterList.Of(config).ToDictionary(p => p.Name, p => Tensor.Allocate(TensorType.F32, p.Shape));
        Model model = new("anchored", config, name => tensors[name], _ => TensorType.F32, () => tokenizer, TensorType.F32);
        List<string> notes = [];
        ModelWriter.Write(model, folder.File("model.gguf"), TensorType.F32, note: notes.Add);
        Assert.Equal(s_all, Model.Open(folder.File("model.gguf")).Config.Anchors);
        Assert.Contains(notes, note => note.Contains("llama.cpp knows no anchors"));
        ModelWriter.Write(model, folder.File("model"), TensorType.F32);
        Assert.Equal(s_all, Model.Open(folder.File("model")).Config.Anchors);
    }

    private static ModelConfig Read(string anchors) => ModelConfig.Parse(Encoding.UTF8.GetBytes($"{{{Llama}, \"anchors\": {anchors}}}"), "config.json");
}
