using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>A model at hand: what it computes, its numbers, and its tokenizer.</summary>
public sealed class Model
{
    private readonly Func<string, Tensor> _parameter;

    internal Model(ModelConfig config, Func<string, Tensor> parameter)
    {
        Config = config;
        _parameter = parameter;
    }

    /// <summary>What it computes.</summary>
    public ModelConfig Config { get; }

    /// <summary>A parameter under Skiff's name for it, see <see cref="ParameterList"/>.</summary>
    public Tensor Parameter(string name) => _parameter(name);
}
