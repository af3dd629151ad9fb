using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>
/// What llama.cpp cannot load although GGUF could say it, and what it computes otherwise than the model asks: the first
/// is refused, the second is told. Read from llama.cpp's src/models (August 2026).
/// </summary>
internal static class LlamaCppLimits
{
    // Each rule: the architectures it is about (empty for all that llama.cpp knows), the trait, and when it is broken.
    private static readonly (string[] Architectures, string Field, Func<ModelConfig, bool> IsBroken)[] s_rules =
    [
        (["phi2", "phi3", "nemotron", "gpt2", "bloom", "gptneox", "stablelm", "qwen", "qwen2", "olmo", "olmo2"], nameof(ModelConfig.HeadDim),
            c => c.Layers.Any(l => l.Heads * c.HeadDim != c.HiddenSize)),
        (["phi2", "nemotron", "gptneox", "stablelm", "qwen", "olmo2"], nameof(ModelConfig.TieWordEmbeddings), c => c.TieWordEmbeddings),
        (["gemma", "gemma2", "openelm"], nameof(ModelConfig.TieWordEmbeddings), c => !c.TieWordEmbeddings),
        (["gptneox"], nameof(ModelConfig.QkvBias), c => !c.QkvBias),
        (["phi3", "qwen2", "qwen3", "gemma", "gemma2", "gemma3", "olmo", "olmo2", "minicpm3"], nameof(ModelConfig.AttentionOutputBias), c => c.AttentionOutputBias),
        (["phi2"], nameof(ModelConfig.QkNorm), c => c.QkNorm != QueryKeyNorm.None),
    ];

    /// <summary>Refuses a model that llama.cpp knows by name and yet would not load.</summary>
    /// <exception cref="InvalidInputException">Names the trait.</exception>
    public static void Refuse(ModelConfig config, string target)
    {
        string architecture = config.Family.Gguf.Architecture;
        foreach ((string[] architectures, string field, Func<ModelConfig, bool> isBroken) in s_rules)
        {
            if (config.Family.Gguf.KnownToLlamaCpp && architectures.Contains(architecture) && isBroken(config))
                throw new InvalidInputException(target, field, $"llama.cpp's '{architecture}' does not load a model with this trait; write a folder instead");
        }
    }

    /// <summary>What the reader of a GGUF file must know before running it elsewhere.</summary>
    public static IEnumerable<string> Notes(ModelConfig config)
    {
        GgufFamily family = config.Family.Gguf;
        if (!family.KnownToLlamaCpp)
            yield return $"llama.cpp has no '{family.Architecture}'; only Skiff runs this file";
        if (family.Architecture is "llama" or "phi3" && config.Layers.Max(l => l.SlidingWindow) is > 0 and int window)
            yield return $"llama.cpp runs '{family.Architecture}' without its window of {window} positions";
        if (config.Anchors is not null)
            yield return "llama.cpp knows no anchors: it runs the model with full attention, which it was not trained for";
        if (family.Architecture is "gpt2" or "gptneox" && config.HiddenAct == Activation.Gelu)
            yield return $"llama.cpp computes GELU in '{family.Architecture}' by the tanh approximation, not the error function";
    }
}
