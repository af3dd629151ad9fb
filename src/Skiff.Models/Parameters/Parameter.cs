namespace Skiff.Models;

/// <summary>
/// One learned array of a decoder under Skiff's own name, in the form the decoder computes with: matrices as
/// [out, in], queries and keys in half-split rotary order, nothing fused, nothing transposed. File formats differ from
/// this only through a <see cref="TensorLayout"/>.
/// </summary>
/// <param name="Module">What it belongs to: <c>query</c>, <c>gate</c>, <c>final_norm</c>.</param>
/// <param name="Kind"><c>weight</c>, <c>bias</c>, or what a special array is called.</param>
/// <param name="Layer">The block whose weights these are, or -1.</param>
/// <param name="Index">The expert or head, or -1.</param>
/// <param name="Shape">Sizes, outermost first.</param>
public sealed record Parameter(string Module, string Kind, int Layer, int Index, params long[] Shape)
{
    /// <summary><c>layers.3.experts.1.gate.weight</c>, <c>layers.0.query.bias</c>, <c>embedding.weight</c>.</summary>
    public string Name { get; } = NameOf(Module, Kind, Layer, Index);

    /// <summary>Number of values.</summary>
    public long Count => Shape.Aggregate(1L, (a, b) => checked(a * b));

    /// <summary>Rows as files are assembled from them: outputs of a matrix, entries of a vector.</summary>
    public long Rows => Shape.Length == 1 ? Shape[0] : Count / Columns;

    /// <summary>Inputs of a matrix; 1 for a vector.</summary>
    public int Columns => Shape.Length == 1 ? 1 : checked((int)Shape[^1]);

    /// <summary>A matrix that is multiplied with: the kind that quantization is for.</summary>
    public bool IsMatrix => Shape.Length == 2 && Kind == "weight" && Module is not ("position_embedding" or "router");

    internal static string NameOf(string module, string kind, int layer = -1, int index = -1) =>
        (layer < 0 ? "" : $"layers.{layer}.") + (index < 0 ? module : $"{module}.{index}") + "." + kind;
}
