using Skiff.Models;

namespace Skiff.Training;

/// <summary>Low-rank adapters beside frozen matrices (arXiv 2106.09685).</summary>
/// <param name="Rank">Width between the two matrices of an adapter.</param>
/// <param name="Alpha">The product is scaled by alpha / rank.</param>
/// <param name="Modules">Which matrices get one: <c>query</c>, <c>down</c>...</param>
internal sealed record LoraSettings(int Rank, double Alpha, IReadOnlyList<string> Modules)
{
    /// <summary>The kind of the matrix [rank, inputs].</summary>
    public const string Down = "lora_a";

    /// <summary>The kind of the matrix [outputs, rank], 0 at first.</summary>
    public const string Up = "lora_b";

    /// <summary>Factor on the product.</summary>
    public double Scale => Alpha / Rank;

    /// <summary>The adapters of a model.</summary>
    public IEnumerable<Parameter> Parameters(ModelConfig config)
    {
        foreach (Parameter p in ParameterList.Of(config))
        {
            if (p.Layer < 0 || p.Kind != "weight" || p.Shape.Length != 2 || !Modules.Contains(p.Module))
                continue;
            yield return new Parameter(p.Module, Down, p.Layer, p.Index, Rank, p.Shape[1]);
            yield return new Parameter(p.Module, Up, p.Layer, p.Index, p.Shape[0], Rank);
        }
    }
}
