// d width, m = d / base width, L layers
using System.Globalization;
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Training;

/// <summary>
/// How a new model begins and how fast each parameter learns. Standard: N(0, init_std^2), what ends a branch by 1 / sqrt(2 L)
/// smaller (GPT-2), one rate for all. Maximal update as MiniCPM has it (arXiv 2404.06395, table 7): every matrix begins at
/// N(0, init_std^2 / m) and learns at rate / m, branches count scale_depth / sqrt(L), the embedding scale_emb, the head 1 / m.
/// </summary>
internal sealed class Parametrization(RecipeParametrization options, ModelConfig config)
{
    private static readonly string[] s_branchEnds = ["output", "down", "experts.down", "recurrent_out"];
    private static readonly string[] s_tables = ["embedding", "position_embedding", "head"];

    private bool Mup => options.Form == ParametrizationForm.Mup;

    private double Multiple => (double)config.HiddenSize / options.BaseWidth;

    /// <summary>The description with the scales that inference needs; unchanged in the standard form.</summary>
    /// <exception cref="InvalidInputException">The description has other scales already.</exception>
    public static ModelConfig Configure(ModelConfig config, RecipeParametrization options, string source)
    {
        if (options.Form == ParametrizationForm.Standard)
            return config;
        ModelConfig scaled = ScaleKeys.Set(config, options.ScaleEmb, options.ScaleDepth, options.BaseWidth);
        Agree("scale_emb", options.ScaleEmb);
        Agree("scale_depth", options.ScaleDepth);
        Agree("dim_model_base", options.BaseWidth, "base_width");
        return scaled;

        void Agree(string key, double value, string? name = null)
        {
            if (config.Source[key] is { } stated && (double)stated != value)
                throw new InvalidInputException(source, $"parametrization.{name ?? key}", string.Create(CultureInfo.InvariantCulture, $"{value} contradicts model.{key} {stated}: say the same in both"));
        }
    }

    /// <summary>Factor on the learning rate of a parameter. Muon's steps change what a matrix gives by as much at any width: they need none.</summary>
    public double RateScale(Parameter parameter, bool muon = false) => Mup && !muon && Shrinks(parameter) ? 1 / Multiple : 1;

    /// <summary>Gives every parameter its first value, by the seed and its name alone.</summary>
    public void Initialize(TrainingParameters parameters, long seed)
    {
        foreach (TrainingParameter own in parameters.All)
        {
            Parameter p = own.Parameter;
            if (p.Kind is LoraSettings.Down or StatePair.Projection)
                RandomModel.Fill(p, own.Value, seed, (float)(1 / Math.Sqrt(p.Shape[1])));
            else if (p.Kind == "recurrent_param")
                Decays(own.Value.Floats());
            else if (p.Shape.Length > 1 && p.Kind != LoraSettings.Up && !p.Kind.EndsWith("bias", StringComparison.Ordinal))
                RandomModel.Fill(p, own.Value, seed, (float)Deviation(p));
            else
                own.Value.Floats().Fill(p.Module.EndsWith("_norm", StringComparison.Ordinal) && p.Kind == "weight" ? 1 - config.Norm.GainOffset : 0);
        }
    }

    private double Deviation(Parameter parameter)
    {
        double std = options.InitStd;
        if (Mup)
            return Shrinks(parameter) ? std / Math.Sqrt(Multiple) : std;
        return s_branchEnds.Contains(parameter.Module) ? std / Math.Sqrt(2 * config.NumHiddenLayers) : std;
    }

    // Convolutions and the blocks of a recurrence's gates read as many values whatever the width: they are not among the matrices.
    private bool Shrinks(Parameter parameter) =>
        parameter.Shape.Length == 2 && parameter.Kind == "weight" && (options.EmbedAsHidden || !s_tables.Contains(parameter.Module));

    // Griffin's recurrence forgets between a tenth and a thousandth a step at first (arXiv 2402.19427, section 2.4).
    private static void Decays(Span<float> values)
    {
        for (int i = 0; i < values.Length; i++)
        {
            double keep = 0.9 + 0.099 * (i + 0.5) / values.Length, softplus = -Math.Log(keep) / 8;
            values[i] = (float)Math.Log(Math.Exp(softplus) - 1);
        }
    }
}
