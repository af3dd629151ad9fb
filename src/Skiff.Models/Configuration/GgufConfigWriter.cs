using System.Text.Json;
using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>A description as GGUF metadata, in the keys that llama.cpp loads.</summary>
internal static class GgufConfigWriter
{
    /// <summary>Where a family that llama.cpp does not know keeps its whole config.json.</summary>
    public const string ConfigJsonKey = "skiff.config_json";

    /// <summary>The nonlinearity by its name in config.json, for the architectures whose models differ in it.</summary>
    public const string ActivationKey = "skiff.hidden_act";

    /// <summary>The anchors of a model that has them, as JSON: llama.cpp knows no such rule, and runs the model without.</summary>
    public const string AnchorsKey = "skiff.anchors";

    public static void Write(GgufMetadata metadata, ModelConfig config, string name)
    {
        GgufFamily family = config.Family.Gguf;
        string arch = family.Architecture;
        metadata.Add("general.architecture", arch);
        metadata.Add("general.type", "model");
        metadata.Add("general.name", name);
        if (config.Anchors is { } anchors)
            metadata.Add(AnchorsKey, anchors.ToJson().ToJsonString());
        Add("block_count", (uint)config.NumHiddenLayers);
        Add("context_length", (uint)config.MaxPositionEmbeddings);
        Add("embedding_length", (uint)config.HiddenSize);
        AddPerLayer("feed_forward_length", l => l.IntermediateSize * family.FeedForwardFactor);
        AddPerLayer("attention.head_count", l => l.Heads);
        AddPerLayer("attention.head_count_kv", l => l.KeyValueHeads);
        Add(config.Norm.Rms ? "attention.layer_norm_rms_epsilon" : "attention.layer_norm_epsilon", (float)config.Norm.Epsilon);
        Add("vocab_size", (uint)config.VocabSize);
        Add("attention.key_length", (uint)config.HeadDim);
        Add("attention.value_length", (uint)config.ValueHeadDim);
        if (config.Layers.FirstOrDefault(l => l.SlidingWindow > 0) is { } sliding)
            Add("attention.sliding_window", (uint)sliding.SlidingWindow);
        AddIf(config.AttnLogitSoftcapping, "attn_logit_softcapping");
        AddIf(config.FinalLogitSoftcapping, "final_logit_softcapping");
        AddIf(config.ClipQkv, "attention.clamp_kqv");
        if (config.NumLocalExperts > 0)
        {
            Add("expert_count", (uint)config.NumLocalExperts);
            Add("expert_used_count", (uint)config.NumExpertsPerTok);
        }

        if (config.Latent is { } latent)
        {
            Add("attention.q_lora_rank", (uint)latent.QLoraRank);
            Add("attention.kv_lora_rank", (uint)latent.KvLoraRank);
        }

        if (arch is "gptneox" or "stablelm")
            Add("use_parallel_residual", config.UseParallelResidual);
        // Published GPT-2 and GPT-NeoX models have either form of GELU, and llama.cpp has no key for it.
        if (arch is "gpt2" or "gptneox" && config.HiddenAct is Activation.Gelu or Activation.GeluTanh)
            metadata.Add(ActivationKey, config.HiddenAct == Activation.Gelu ? "gelu" : "gelu_new");
        if (arch is "minicpm")
        {
            Add("embedding_scale", (float)config.EmbeddingScale);
            Add("residual_scale", (float)config.ResidualScale);
            Add("logit_scale", (float)(1 / config.LogitScale));
        }

        // The last block that sees everything carries the model's own base; sliding ones may have another.
        if (config.Layers.LastOrDefault(l => l.SlidingWindow == 0)?.Rope is { } rope || (rope = config.Layers[0].Rope) is not null)
            WriteRope(rope);
        if (!family.KnownToLlamaCpp)
            metadata.Add(ConfigJsonKey, config.Source.ToJsonString(new JsonSerializerOptions { WriteIndented = false }));

        void Add(string key, object value) => metadata.Add($"{arch}.{key}", value);

        void AddIf(double value, string key)
        {
            if (value > 0)
                Add(key, (float)value);
        }

        void AddPerLayer(string key, Func<LayerConfig, int> value)
        {
            int[] values = [.. config.Layers.Select(value)];
            Add(key, values.Distinct().Count() == 1 ? (uint)values[0] : values);
        }

        void WriteRope(RopeConfig rope)
        {
            Add("rope.dimension_count", (uint)rope.RotaryDim);
            Add("rope.freq_base", (float)rope.Theta);
            if (config.Layers.FirstOrDefault(l => l.Rope is not null && l.Rope != rope)?.Rope is { } local)
                Add("rope.freq_base_swa", (float)local.Theta);
            if (rope.Scaling is RopeScaling.Linear or RopeScaling.Yarn)
            {
                Add("rope.scaling.type", rope.Scaling == RopeScaling.Linear ? "linear" : "yarn");
                Add("rope.scaling.factor", (float)rope.Factor);
            }

            if (rope.Scaling is RopeScaling.Yarn or RopeScaling.LongRope)
                Add("rope.scaling.original_context_length", (uint)rope.OriginalMaxPositionEmbeddings);
            if (rope.Scaling == RopeScaling.LongRope)
                Add("rope.scaling.attn_factor", (float)rope.Frequencies(0).Scale);
        }
    }

    /// <summary>The tables of frequency factors that llama.cpp reads as tensors, [R / 2] each.</summary>
    public static IEnumerable<TensorEntry> RopeTensors(ModelConfig config)
    {
        if (config.Layers.LastOrDefault(l => l.SlidingWindow == 0)?.Rope is not { } rope && (rope = config.Layers[0].Rope) is null)
            yield break;
        if (rope.Scaling == RopeScaling.LongRope)
        {
            yield return Entry("rope_factors_long.weight", rope.LongFactor);
            yield return Entry("rope_factors_short.weight", rope.ShortFactor);
        }
        else if (rope.Scaling == RopeScaling.Llama3)
        {
            double[] plain = (rope with { Scaling = RopeScaling.None }).Frequencies(0).Frequencies, stretched = rope.Frequencies(0).Frequencies;
            yield return Entry("rope_freqs.weight", [.. plain.Zip(stretched).Select(f => f.First / f.Second)]);
        }

        static TensorEntry Entry(string name, IReadOnlyList<double> factors) =>
            TensorEntry.Of(name, Tensor.FromFloats([.. factors.Select(f => (float)f)], factors.Count));
    }
}
