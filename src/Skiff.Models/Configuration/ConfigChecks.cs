using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>What must fit together before any memory is taken.</summary>
internal static class ConfigChecks
{
    /// <summary>No model of the family is this large; a number above it is a damaged file.</summary>
    private const double MostParameters = 1L << 40;

    /// <summary>Nor does any have so many tensors; a list of them is made before the first is looked for.</summary>
    private const long MostTensors = 1 << 17;

    public static void Check(ModelConfig config, string source)
    {
        foreach (LayerConfig layer in config.Layers)
        {
            if (layer.Heads % layer.KeyValueHeads != 0)
                throw Refuse("num_key_value_heads", $"{layer.KeyValueHeads} does not divide num_attention_heads {layer.Heads}");
            if ((long)layer.Heads * Math.Max(config.HeadDim, config.ValueHeadDim) > int.MaxValue / 4)
                throw Refuse("num_attention_heads", $"{layer.Heads} heads of {config.HeadDim} are too wide");
            if (layer.IntermediateSize < 1)
                throw Refuse("intermediate_size", "must be at least 1");
        }

        if (config.NumLocalExperts > 0 && config.NumExpertsPerTok is var visited && (visited < 1 || visited > config.NumLocalExperts))
            throw Refuse("num_experts_per_tok", $"{visited} must be from 1 to num_local_experts {config.NumLocalExperts}");
        long perLayer = 12 + 3L * config.NumLocalExperts;
        if (config.Layers.Sum(l => perLayer + (config.QkNorm == QueryKeyNorm.EachHead ? l.Heads + l.KeyValueHeads : 0)) > MostTensors)
            throw Refuse("num_hidden_layers", $"the sizes make a model of over {MostTensors} tensors");
        if (ParameterList.Kinds(config).Sum(k => k.Parameter.Shape.Aggregate((double)k.Times, (product, size) => product * size)) > MostParameters)
            throw Refuse("hidden_size", "the sizes make a model of over 10^12 parameters");

        InvalidInputException Refuse(string field, string problem) => new(source, config.Family.NameOf(field), problem);
    }
}
