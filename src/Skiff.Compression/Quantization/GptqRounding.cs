using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Compression;

/// <summary>
/// A model's matrices rounded by <see cref="Gptq"/> over one text, in whatever types are asked for. Matrices of blocks are rounded with the text in
/// mind; heads and embeddings, which read no rows of a text, each weight to its nearest.
/// </summary>
public sealed class GptqRounding
{
    /// <summary>Samples of the text that are read, and tokens of each.</summary>
    public const int Samples = 128, Length = 512;

    private readonly Model _model;
    private readonly InputHessians _hessians;
    private readonly Dictionary<(string Name, TensorType Type), Tensor> _rounded = [];
    private Tensor? _hessian;
    private double[][] _factor = [];

    private GptqRounding(Model model, InputHessians hessians) => (_model, _hessians) = (model, hessians);

    /// <summary>Reads a text through a model.</summary>
    /// <param name="model">Best before it was quantized.</param>
    /// <param name="text">A text of the kind the model is for.</param>
    /// <param name="progress">Told how many samples are read, and of how many.</param>
    /// <param name="stop">Ends the work.</param>
    /// <exception cref="InvalidInputException">The text is too short, or the matrices too wide.</exception>
    public static GptqRounding Of(Model model, string text, Action<int, int>? progress = null, CancellationToken stop = default) =>
        Of(model, CalibrationText.Samples(model, text, Samples, Length), progress, stop);

    internal static GptqRounding Of(Model model, IReadOnlyList<Memory<int>> samples, Action<int, int>? progress, CancellationToken stop) => new(model, InputHessians.Collect(model, samples, progress, stop));

    /// <summary>The model that is rounded.</summary>
    public Model Original => _model;

    /// <summary>The model with the types of a mixture.</summary>
    public Model As(QuantizationMix mix, Action<int, int>? progress = null, CancellationToken stop = default) => As(mix.MatrixTypes(_model.Config), progress, stop);

    /// <summary>The model with a type for each matrix by its parameter's name, as of <see cref="MixedTypes"/>.</summary>
    /// <param name="types">A matrix that is not named stays as it is.</param>
    /// <param name="progress">Told how many matrices are rounded, and of how many.</param>
    /// <param name="stop">Ends the work.</param>
    public Model As(IReadOnlyDictionary<string, TensorType> types, Action<int, int>? progress = null, CancellationToken stop = default)
    {
        Parameter[] matrices = [.. ParameterList.Of(_model.Config).Where(parameter => types.ContainsKey(parameter.Name))];
        Dictionary<string, Tensor> rounded = [];
        foreach (Parameter parameter in matrices)
        {
            stop.ThrowIfCancellationRequested();
            rounded[parameter.Name] = Round(parameter, types[parameter.Name]);
            progress?.Invoke(rounded.Count, matrices.Length);
        }

        return _model.With(_model.Config, name => rounded.GetValueOrDefault(name) ?? _model.Parameter(name), name => rounded.TryGetValue(name, out Tensor? tensor) ? tensor.Type : _model.TypeOf(name));
    }

    /// <summary>One matrix in a type; kept, so that it is rounded once.</summary>
    internal Tensor Round(Parameter parameter, TensorType type)
    {
        if (_rounded.TryGetValue((parameter.Name, type), out Tensor? known))
            return known;
        Tensor whole = _model.Parameter(parameter.Name);
        if (!type.IsQuantized() || _hessians.Of(parameter.Name) is not { } hessian)
            return _rounded[(parameter.Name, type)] = whole.ConvertTo(type);
        // Matrices that share their inputs follow each other.
        if (hessian != _hessian)
            (_hessian, _factor) = (hessian, InverseFactor.Of(hessian));
        return _rounded[(parameter.Name, type)] = Gptq.Quantize(whole, _factor, type);
    }
}
