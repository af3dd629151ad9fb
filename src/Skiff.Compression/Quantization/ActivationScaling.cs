// N outputs, K inputs of a matrix
using System.Numerics.Tensors;
using Skiff.Models;
using Skiff.Tensors;
using Tensor = Skiff.Tensors.Tensor;

namespace Skiff.Compression;

/// <summary>
/// Makes a model easier to round without changing what it computes: inputs that are large on a text get larger weights, so that their relative
/// rounding error is smaller, and what feeds them is divided by as much (AWQ, arXiv 2306.00978, section 3.2). Inputs that a norm's gain feeds are
/// scaled there, those of a gated feed-forward's down projection in the rows of up; the others stay.
/// </summary>
public static class ActivationScaling
{
    private const int Steps = 10;

    private static readonly string[] s_attention = ["query", "key", "value"], s_feedForward = ["gate", "up"], s_down = ["down"], s_kinds = ["weight", "bias"];

    /// <summary>The equal model whose matrices lose least when rounded to the types of a mixture.</summary>
    /// <param name="model">Best before it was quantized.</param>
    /// <param name="mix">What it is going to be written in.</param>
    /// <param name="text">A text of the kind the model is for.</param>
    /// <param name="progress">Told how many samples are read, and of how many.</param>
    /// <param name="stop">Ends the work.</param>
    /// <exception cref="InvalidInputException">The text is too short, or the matrices too wide.</exception>
    public static Model Of(Model model, QuantizationMix mix, string text, Action<int, int>? progress = null, CancellationToken stop = default) =>
        Of(model, mix.MatrixTypes(model.Config), CalibrationText.Samples(model, text, GptqRounding.Samples, GptqRounding.Length), progress, stop);

    internal static Model Of(Model model, IReadOnlyDictionary<string, TensorType> types, Memory<int>[] samples, Action<int, int>? progress, CancellationToken stop)
    {
        InputHessians hessians = InputHessians.Collect(model, samples, progress, stop);
        return Scaled(model, group =>
        {
            stop.ThrowIfCancellationRequested();
            string[] readers = [.. group.Readers.Where(types.ContainsKey)];
            return readers.Length == 0 || hessians.Of(readers[0]) is not { } hessian ? null : Best([.. readers.Select(name => (model.Parameter(name), types[name]))], hessian);
        });
    }

    /// <summary>The equal model with inputs of groups of matrices scaled; a group without a scale stays.</summary>
    internal static Model Scaled(Model model, Func<ScaledGroup, double[]?> scaleOf)
    {
        Dictionary<string, double[]> columns = [], rows = [];
        foreach (ScaledGroup group in model.Config.Layers.DistinctBy(layer => layer.Weights).SelectMany(layer => Groups(model.Config, layer)))
        {
            if (scaleOf(group) is not { } scale)
                continue;
            foreach (string reader in group.Readers)
                columns[reader] = scale;
            foreach (string source in group.Sources)
                rows[source] = scale;
        }

        Dictionary<string, Tensor> scaled = ParameterList.Of(model.Config).Where(parameter => columns.ContainsKey(parameter.Name) || rows.ContainsKey(parameter.Name))
            .ToDictionary(parameter => parameter.Name, parameter => Scaled(model.Parameter(parameter.Name), parameter, columns.GetValueOrDefault(parameter.Name), rows.GetValueOrDefault(parameter.Name), model.Config.Norm));
        return model.With(model.Config, name => scaled.GetValueOrDefault(name) ?? model.Parameter(name), name => scaled.ContainsKey(name) ? TensorType.F32 : model.TypeOf(name));
    }

    private static IEnumerable<ScaledGroup> Groups(ModelConfig config, LayerConfig layer)
    {
        int l = layer.Weights;
        HashSet<string> there = [.. ParameterList.Of(config).Select(parameter => parameter.Name)];
        // A residual that begins behind the norm reads its values too.
        bool norms = config.Norm.Gain && config.NormPlacement is NormPlacement.Before or NormPlacement.Both && !config.ApplyResidualConnectionPostLayernorm;
        bool plain = layer.Kind == LayerKind.Attention && config.Latent is null, dense = config.NumLocalExperts == 0 && !config.SharedFeedForward;
        bool together = config.UseParallelResidual && config.SharedParallelNorm;
        if (norms && plain && (!together || dense))
            yield return Of([.. s_attention, .. together ? s_feedForward : []], "attention_norm");
        if (norms && dense && !together)
            yield return Of(s_feedForward, "feed_forward_norm");
        if (dense && there.Contains(Parameter.NameOf("gate", "weight", l)))
            yield return Of(s_down, "up");

        ScaledGroup Of(string[] readers, string source) => new(
            [.. readers.Select(module => Parameter.NameOf(module, "weight", l)).Where(there.Contains)],
            [.. s_kinds.Select(kind => Parameter.NameOf(source, kind, l)).Where(there.Contains)]);
    }

    // Of s = (root mean square of the input)^alpha the one with the least squared error of the outputs; null where none is better than no scale.
    private static double[]? Best((Tensor Weight, TensorType Type)[] readers, Tensor hessian)
    {
        int k = hessian.Columns;
        double[] size = [.. Enumerable.Range(0, k).Select(i => Math.Sqrt(hessian.Floats()[(i * k) + i]))];
        double least = 1e-4 * size.Average();
        if (least == 0)
            return null;
        (double Error, double[]? Scale) best = (double.PositiveInfinity, null);
        for (int step = 0; step <= Steps; step++)
        {
            double[] scale = [.. size.Select(value => Math.Pow(Math.Max(value, least), (double)step / Steps))];
            double middle = Math.Sqrt(scale.Max() * scale.Min());
            for (int i = 0; i < k; i++)
                scale[i] /= middle;
            double error = readers.Sum(reader => Error(reader.Weight, reader.Type, scale, hessian));
            if (error < best.Error)
                best = (error, step == 0 ? null : scale);
        }

        return best.Scale;
    }

    // The trace of E H E^T, E what rounding changes.
    private static unsafe double Error(Tensor weight, TensorType type, double[] scale, Tensor hessian)
    {
        int n = checked((int)weight.Rows), k = weight.Columns;
        float[] row = new float[k];
        Tensor error = Tensor.Allocate(TensorType.F32, n, k), product = Tensor.Allocate(TensorType.F32, n, k);
        for (int r = 0; r < n; r++)
        {
            weight.ReadRow(r, row);
            Span<float> to = error.Floats().Slice(r * k, k);
            for (int i = 0; i < k; i++)
                to[i] = (float)(row[i] * scale[i]);
        }

        Tensor rounded = error.ConvertTo(type);
        for (int r = 0; r < n; r++)
        {
            rounded.ReadRow(r, row);
            Span<float> to = error.Floats().Slice(r * k, k);
            for (int i = 0; i < k; i++)
                to[i] = (float)((row[i] - to[i]) / scale[i]);
        }

        MatrixProduct.Multiply(new MatrixView((float*)error.Data, n, k), new MatrixView((float*)hessian.Data, k, k), new MatrixView((float*)product.Data, n, k));
        return TensorPrimitives.Dot<float>(error.Floats(), product.Floats());
    }

    private static Tensor Scaled(Tensor from, Parameter parameter, double[]? columns, double[]? rows, NormConfig norm)
    {
        int width = parameter.Columns;
        double offset = parameter.Module.EndsWith("_norm", StringComparison.Ordinal) && parameter.Kind == "weight" ? norm.GainOffset : 0;
        Tensor result = Tensor.Allocate(TensorType.F32, [.. parameter.Shape]), flat = from.Reshape(parameter.Rows, width);
        float[] row = new float[width];
        for (int r = 0; r < parameter.Rows; r++)
        {
            flat.ReadRow(r, row);
            for (int i = 0; i < width; i++)
                result.Floats()[(r * width) + i] = (float)(((row[i] + offset) * (columns?[i] ?? 1) / (rows?[r] ?? 1)) - offset);
        }

        return result;
    }
}

/// <summary>Matrices that read the same values, and what these come from: a norm, or the rows of another matrix.</summary>
internal sealed record ScaledGroup(IReadOnlyList<string> Readers, IReadOnlyList<string> Sources);
