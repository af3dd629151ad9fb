using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Training;

/// <summary>
/// Lets a model train with the weights that it will have once it is quantized: passes see them rounded, and the gradient found there moves the exact
/// ones (the straight-through estimator, arXiv 1308.3432; over a whole network arXiv 1712.05877, section 3).
/// </summary>
internal sealed class RoundedWeights
{
    private readonly (TrainingParameter Parameter, TensorType Type)[] _matrices;
    private readonly Tensor _exact;
    private readonly TrainingParameters _parameters;
    private readonly ThreadTeam? _team;

    /// <summary>Of a model's parameters, those that a mixture stores in fewer bits.</summary>
    public RoundedWeights(TrainingParameters parameters, ModelConfig config, QuantizationMix mix, ThreadTeam? team = null)
    {
        IReadOnlyDictionary<string, TensorType> types = mix.MatrixTypes(config);
        (_parameters, _team, _exact) = (parameters, team, Tensor.Allocate(TensorType.F32, parameters.Values.Count));
        _matrices = [.. parameters.All.Where(own => types.ContainsKey(own.Parameter.Name)).Select(own => (own, types[own.Parameter.Name]))];
    }

    /// <summary>Puts the rounded weights in the place of the exact ones.</summary>
    public void Round()
    {
        _parameters.Values.Floats().CopyTo(_exact.Floats());
        foreach ((TrainingParameter own, TensorType type) in _matrices)
            BlockRounding.Apply(own.Value.Floats(), type, _team);
    }

    /// <summary>Puts the exact weights back.</summary>
    public void Restore() => _exact.Floats().CopyTo(_parameters.Values.Floats());
}
