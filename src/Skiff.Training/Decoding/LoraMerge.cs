// O outputs, I inputs, R rank
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
        Parameter p = own.Parameter;
        string down = Models.Parameter.NameOf(p.Module, LoraSettings.Down, p.Layer, p.Index);
        if (p.Kind != "weight" || !parameters.Has(down))
            return own.Value;
        Tensor a = parameters[down].Value, b = parameters[Models.Parameter.NameOf(p.Module, LoraSettings.Up, p.Layer, p.Index)].Value;
        Tensor merged = Tensor.AllocateRaw(TensorType.F32, own.Value.Shape.ToArray());
        MatrixProduct.Multiply(MatrixView.Of(b), MatrixView.Of(a), MatrixView.Of(merged));
        AddScaled.Apply(own.Value.Floats(), merged.Floats(), (float)lora.Scale, merged.Floats());
        GC.KeepAlive((a, b));
        return merged;
    }
}
