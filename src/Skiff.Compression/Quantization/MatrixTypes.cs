using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Compression;

/// <summary>The type that each matrix of a model gets by a mixture.</summary>
internal static class MatrixTypes
{
    /// <summary>By the parameter's name; rows that fill no blocks get a type that fits, as in a file.</summary>
    public static Dictionary<string, TensorType> Of(ModelConfig config, QuantizationMix mix)
    {
        Func<StoredTensor, TensorType> typeOf = mix.TypesOf(config);
        return GgufLayout.Of(config).Tensors
            .SelectMany(stored => stored.Parts.Where(part => part.Parameter.IsMatrix).Select(part => (part.Parameter.Name, Type: ModelWriter.Fitting(typeOf(stored), part.Parameter.Columns))))
            .DistinctBy(pair => pair.Name).ToDictionary(pair => pair.Name, pair => pair.Type);
    }
}
