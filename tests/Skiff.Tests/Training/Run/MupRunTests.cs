using Skiff.Models;
using Skiff.Training;

namespace Skiff.Tests.Training;

public sealed class MupRunTests
{
    // A run's model folder and its checkpoints say all that inference needs.
    [Theory]
    [InlineData("llama", "minicpm")]
    [InlineData("gpt2", "gpt2")]
    public void WhatARunWritesHasItsScales(string family, string written)
    {
        using TinyRun run = new();
        string model = family == "gpt2"
            ? "model={model_type: gpt2, n_embd: 32, n_layer: 2, n_head: 2}"
            : $"model={{model_type: {family}, hidden_size: 32, intermediate_size: 48, num_hidden_layers: 2, num_attention_heads: 2}}";
        run.Train(run.Recipe("mup", model, "parametrization={form: mup, base_width: 8, scale_emb: 10, scale_depth: 2}"));
        foreach (string folder in new[] { RunFolder.Open(run.Run("mup")).CheckpointPath(12), Path.Combine(run.Run("mup"), "model") })
        {
            ModelConfig config = Model.OpenConfig(folder);
            Assert.Equal((written, 10, 2 / Math.Sqrt(2), 0.25), (config.ModelType, config.EmbeddingScale, config.ResidualScale, config.LogitScale));
        }
    }
}
