using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Tests.Models;

public sealed class EndIdsTests
{
    [Fact]
    public void EveryStatedEndCountsAndSurvivesConversion()
    {
        using TemporaryFolder folder = new();
        string first = folder.File("a"), second = folder.File("b.gguf"), third = folder.File("c");
        ModelConfig config = ModelConfig.Parse(
            """{"model_type":"llama","hidden_size":32,"num_hidden_layers":1,"num_attention_heads":2,"intermediate_size":32,"vocab_size":300,"eos_token_id":[0,7]}"""u8, "test");
        ModelWriter.Write(RandomModel.Create("tiny", config, 1, TensorType.F32), first);
        File.WriteAllText(Path.Combine(first, "generation_config.json"), """{"eos_token_id":[0,9],"temperature":0.6}""");
        Assert.Equal([0, 7, 9], Model.Open(first).EndIds);

        ModelWriter.Write(Model.Open(first), second);
        Assert.Contains(0, Model.Open(second).EndIds);
        Assert.Contains(7, Model.Open(second).EndIds);
        ModelWriter.Write(Model.Open(first), third);
        Assert.Equal([0, 7, 9], Model.Open(third).EndIds);
        Assert.Contains("0.6", File.ReadAllText(Path.Combine(third, "generation_config.json")));
    }
}
