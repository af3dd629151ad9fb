using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Compression;

/// <summary>
/// Gives each tensor of a GGUF file its own number type, so that the file meets a size with the least KL to the original: each tensor alone is
/// stored in each type and the KL measured; then, from the smallest types on, whichever step up saves most KL for its bytes is taken until
/// nothing more fits. KLs of single tensors are small and add up nearly.
/// </summary>
public static class MixedTypes
{
    private const int Samples = 8, Length = 256;

    /// <summary>Types that a tensor may get, the smallest first.</summary>
    private static readonly TensorType[] s_types = [TensorType.Q4_0, TensorType.Q5_0, TensorType.Q8_0], s_wideTypes = [TensorType.Q4_K, TensorType.Q5_K, TensorType.Q6_K, TensorType.Q8_0];

    /// <summary>Chooses.</summary>
    /// <param name="model">The original.</param>
    /// <param name="bytes">What all matrices together may take.</param>
    /// <param name="text">A text of the kind the model is for.</param>
    /// <param name="progress">Told how many KLs are measured, and of how many.</param>
    /// <param name="stop">Ends the work.</param>
    /// <returns>The type of each matrix by the parameter's name.</returns>
    /// <exception cref="InvalidInputException">The smallest types take more; says how much.</exception>
    public static IReadOnlyDictionary<string, TensorType> Choose(Model model, long bytes, string text, Action<int, int>? progress = null, CancellationToken stop = default) =>
        Choose(model, bytes, CalibrationText.Samples(model, text, Samples, Length), progress, stop);

    internal static IReadOnlyDictionary<string, TensorType> Choose(Model model, long bytes, IReadOnlyList<Memory<int>> samples, Action<int, int>? progress, CancellationToken stop)
    {
        // Parts of one tensor of the file share its type.
        Parameter[][] tensors = [.. GgufLayout.Of(model.Config).Tensors.Select(stored => stored.Parts.Select(part => part.Parameter).Where(parameter => parameter.IsMatrix).ToArray()).Where(parts => parts.Length > 0)];
        bool wide = tensors.All(parts => parts.All(parameter => parameter.Columns % TensorType.Q4_K.BlockLength() == 0));
        TensorType[][] types = [.. tensors.Select(parts => (wide ? s_wideTypes : s_types).Select(type => ModelWriter.Fitting(type, parts[0].Columns)).Distinct().ToArray())];
        long least = Enumerable.Range(0, tensors.Length).Sum(t => Bytes(tensors[t], types[t][0]));
        if (least > bytes)
            throw new InvalidInputException(model.Path, "size", $"{bytes} bytes cannot be met: the smallest types take {least}");
        OriginalLogits original = new(model, samples);
        int all = types.Sum(own => own.Length), done = 0;
        double[][] kl = [.. tensors.Select((parts, t) => types[t].Select(type =>
        {
            stop.ThrowIfCancellationRequested();
            Dictionary<string, Tensor> changed = parts.ToDictionary(parameter => parameter.Name, parameter => model.Parameter(parameter.Name).ConvertTo(type).ConvertTo(TensorType.F32));
            double own = original.Against(model.With(name => changed.GetValueOrDefault(name) ?? model.Parameter(name)), stop).Kl;
            progress?.Invoke(++done, all);
            return own;
        }).ToArray())];
        int[] chosen = new int[tensors.Length];
        for (long room = bytes - least; ;)
        {
            (int Tensor, int To, double Gain, long Cost) best = (-1, 0, 0, 0);
            for (int t = 0; t < tensors.Length; t++)
            {
                for (int to = chosen[t] + 1; to < types[t].Length; to++)
                {
                    long cost = Bytes(tensors[t], types[t][to]) - Bytes(tensors[t], types[t][chosen[t]]);
                    double gain = (kl[t][chosen[t]] - kl[t][to]) / cost;
                    if (cost <= room && gain > best.Gain)
                        best = (t, to, gain, cost);
                }
            }

            if (best.Tensor < 0)
                break;
            chosen[best.Tensor] = best.To;
            room -= best.Cost;
        }

        return tensors.SelectMany((parts, t) => parts.Select(parameter => (parameter.Name, Type: types[t][chosen[t]]))).DistinctBy(pair => pair.Name).ToDictionary(pair => pair.Name, pair => pair.Type);
    }

    private static long Bytes(Parameter[] parts, TensorType type) => parts.Sum(parameter => type.ByteLength(parameter.Count));
}
