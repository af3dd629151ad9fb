using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Training;

/// <summary>A model's parameters with their adapters worked in: W + alpha / rank B A.</summary>
internal sealed class LoraMerge(TrainingParameters parameters, LoraSettings lora)
{
    /// <summary>A parameter of the merged model; those with an adapter are made anew each time.</summary>
    public Tensor Parameter(string name)
    {
        TrainingParameter own = parameters[name];
        if (Adapter(own.Parameter) is not { } pair)
            return own.Value;
        return LowRankUpdate.Add(own.Value, pair.Up, pair.Down, lora.Scale);
    }

    /// <summary>The two matrices of a parameter's adapter, or null where it has none.</summary>
    public (Tensor Down, Tensor Up)? Adapter(Parameter parameter)
    {
        string down = NameOf(LoraSettings.Down);
        return parameter.Kind == "weight" && parameters.Has(down) ? (parameters[down].Value, parameters[NameOf(LoraSettings.Up)].Value) : null;

        string NameOf(string kind) => Models.Parameter.NameOf(parameter.Module, kind, parameter.Layer, parameter.Index);
    }
}
