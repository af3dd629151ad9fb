using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>
/// A tensor to be written: its header is known at once, its numbers are fetched when its turn comes, so that a writer
/// never holds more than one tensor.
/// </summary>
/// <param name="Name">Name in the file.</param>
/// <param name="Type">How it is stored in the file.</param>
/// <param name="Shape">Sizes, outermost first.</param>
/// <param name="Load">Yields the tensor in just this type and shape.</param>
public sealed record TensorEntry(string Name, TensorType Type, IReadOnlyList<long> Shape, Func<Tensor> Load)
{
    /// <summary>An entry for a tensor that exists already, converted to <paramref name="type"/> when its turn comes.</summary>
    public static TensorEntry Of(string name, Tensor tensor, TensorType? type = null) =>
        new(name, type ?? tensor.Type, tensor.Shape, () => type is null || type == tensor.Type ? tensor : tensor.ConvertTo(type.Value));
}
