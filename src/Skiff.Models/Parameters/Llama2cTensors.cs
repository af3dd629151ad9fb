using System.Text.Json.Nodes;
using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>A plain Llama in the layout of karpathy/llama2.c: the matrices of all layers in one tensor, rotary pairs side by side.</summary>
internal static class Llama2cTensors
{
    private static readonly (string Name, string Module, string Kind)[] PerLayer =
    [
        ("rms_att_weight", "attention_norm", "weight"), ("wq", "query", "weight"), ("wk", "key", "weight"), ("wv", "value", "weight"),
        ("wo", "output", "weight"), ("rms_ffn_weight", "feed_forward_norm", "weight"), ("w1", "gate", "weight"), ("w2", "down", "weight"),
        ("w3", "up", "weight"),
    ];

    /// <summary>Names for reading: tables that are no parameters.</summary>
    public static TensorNames Names { get; } = new()
    {
        LayerPrefix = "",
        Modules = new Dictionary<string, string> { ["head"] = "wcls" },
        NotParameters = ["freq_cis_real", "freq_cis_imag"],
    };

    /// <summary>The description that the header stands for.</summary>
    public static JsonObject ConfigOf(Llama2cHeader header) => new()
    {
        ["architectures"] = new JsonArray("LlamaForCausalLM"),
        ["model_type"] = "llama",
        ["hidden_size"] = header.Dim,
        ["intermediate_size"] = header.HiddenDim,
        ["num_hidden_layers"] = header.Layers,
        ["num_attention_heads"] = header.Heads,
        ["num_key_value_heads"] = header.KvHeads,
        ["vocab_size"] = header.VocabSize,
        ["max_position_embeddings"] = header.SequenceLength,
        ["rms_norm_eps"] = 1e-5,
        ["rope_theta"] = 10000.0,
        ["tie_word_embeddings"] = header.SharedClassifier,
        ["bos_token_id"] = 1,
        ["eos_token_id"] = 2,
    };

    /// <summary>The header that stands for a description.</summary>
    /// <exception cref="InvalidInputException">The format cannot express it; names the trait.</exception>
    public static Llama2cHeader HeaderOf(ModelConfig config, string target)
    {
        LayerConfig layer = config.Layers[0];
        Llama2cHeader header = new(config.HiddenSize, layer.IntermediateSize, config.NumHiddenLayers, layer.Heads, layer.KeyValueHeads,
            config.VocabSize, config.MaxPositionEmbeddings, config.TieWordEmbeddings);
        ConfigDifference.Refuse(config, ModelConfig.Parse(ConfigOf(header), target), target, "llama2.c");
        return header;
    }

    /// <summary>The layout of a model that <see cref="HeaderOf"/> accepted.</summary>
    public static TensorLayout Layout(ModelConfig config)
    {
        Dictionary<string, Parameter> parameters = ParameterList.Of(config).ToDictionary(p => p.Name);
        List<StoredTensor> tensors = [Whole("token_embedding_table", "embedding.weight")];
        foreach ((string name, string module, string kind) in PerLayer)
        {
            Parameter[] parts = [.. Enumerable.Range(0, config.NumHiddenLayers).Select(l => parameters[Parameter.NameOf(module, kind, l)])];
            RowOrder order = module is "query" or "key" ? RowOrder.AdjacentPairs : RowOrder.Natural;
            tensors.Add(new StoredTensor(name, [parts.Length, .. parts[0].Shape], [.. parts.Select(p => new StoredPart(p, order))]) { HeadDim = config.HeadDim });
        }

        tensors.Add(Whole("rms_final_weight", "final_norm.weight"));
        if (!config.TieWordEmbeddings)
            tensors.Add(Whole("wcls", "head.weight"));
        return new TensorLayout(tensors);

        StoredTensor Whole(string name, string parameter) => new(name, parameters[parameter].Shape, new StoredPart(parameters[parameter]));
    }
}
