namespace Skiff.Models;

/// <summary>
/// How one file format names and groups parameters: a name for each module, and the groups that share a tensor.
/// <c>{l}</c> stands for the block, <c>{i}</c> for the expert or head.
/// </summary>
internal sealed record TensorNames
{
    /// <summary>What precedes a module of a block.</summary>
    public required string LayerPrefix { get; init; }

    /// <summary>Module to name, without the ending <c>.weight</c> or <c>.bias</c>.</summary>
    public required IReadOnlyDictionary<string, string> Modules { get; init; }

    /// <summary>Groups of modules in one tensor.</summary>
    public IReadOnlyList<FusedModules> Fused { get; init; } = [];

    /// <summary>Modules whose matrices are stored as [in, out].</summary>
    public IReadOnlyList<string> Transposed { get; init; } = [];

    /// <summary>The part of every name that some published files leave out.</summary>
    public string OptionalPrefix { get; init; } = "";

    /// <summary>Endings of tensors in published files that are no parameters: masks and tables made anew at load.</summary>
    public IReadOnlyList<string> NotParameters { get; init; } = ["rotary_emb.inv_freq", "rope_freqs.weight"];

    /// <summary>The layout of a model under these names.</summary>
    public TensorLayout Layout(ModelConfig config)
    {
        List<StoredTensor> tensors = [];
        Dictionary<string, List<Parameter>> groups = [];
        foreach (Parameter parameter in ParameterList.Of(config))
        {
            if (Fused.FirstOrDefault(f => f.Modules.Contains(parameter.Module)) is not { } fused)
            {
                tensors.Add(new StoredTensor(NameOf(parameter), StoredShape(parameter), new StoredPart(parameter))
                {
                    Transposed = Transposed.Contains(parameter.Module) && parameter.Shape.Length == 2,
                });
                continue;
            }

            string name = (LayerPrefix + fused.Name).Replace("{l}", parameter.Layer.ToString()) + "." + parameter.Kind;
            if (!groups.TryGetValue(name, out List<Parameter>? group))
                groups[name] = group = [];
            group.Add(parameter);
            if (group.Count == fused.Modules.Count)
                tensors.Add(Fuse(name, fused, [.. fused.Modules.Select(m => group.First(p => p.Module == m))], config));
        }

        return new TensorLayout(tensors);
    }

    private StoredTensor Fuse(string name, FusedModules fused, IReadOnlyList<Parameter> parts, ModelConfig config)
    {
        long rows = parts.Sum(p => p.Rows);
        bool matrix = parts[0].Shape.Length == 2;
        bool transposed = matrix && fused.Modules.Any(Transposed.Contains);
        long[] shape = !matrix ? [rows] : transposed ? [parts[0].Columns, rows] : [rows, parts[0].Columns];
        return new StoredTensor(name, shape, [.. parts.Select(p => new StoredPart(p))])
        {
            Fusion = fused.Fusion,
            Transposed = transposed,
            HeadDim = config.HeadDim,
        };
    }

    private long[] StoredShape(Parameter parameter) =>
        Transposed.Contains(parameter.Module) && parameter.Shape.Length == 2 ? [parameter.Shape[1], parameter.Shape[0]] : parameter.Shape;

    private string NameOf(Parameter parameter)
    {
        string module = Modules.TryGetValue(parameter.Module, out string? name)
            ? name
            : throw new InvalidOperationException($"no name for {parameter.Name}");
        string full = (parameter.Layer < 0 ? "" : LayerPrefix) + module + "." + parameter.Kind;
        return full.Replace("{l}", parameter.Layer.ToString()).Replace("{i}", parameter.Index.ToString());
    }
}

/// <summary>Modules of one block that share a tensor, in its order.</summary>
internal sealed record FusedModules(string Name, IReadOnlyList<string> Modules, Fusion Fusion = Fusion.Concatenated);
