using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Compression;

/// <summary>
/// Gives each tensor of a GGUF file its own number type, so that the file meets a size with the least KL to the original. All tensors begin in the
/// smallest type; the KL is measured with each of them alone in each larger type, as what a rounding costs hangs on the other roundings; then
/// whichever step up saves most KL for its bytes is taken until nothing more fits. One type for all that fits is taken where it measures better.
/// </summary>
public static class MixedTypes
{
    private const int Samples = 16, Length = 256;

    /// <summary>Types that a tensor may get, the smallest first.</summary>
    private static readonly TensorType[] s_types = [TensorType.Q4_0, TensorType.Q4_1, TensorType.Q5_0, TensorType.Q5_1, TensorType.Q8_0], s_wideTypes = [TensorType.Q4_K, TensorType.Q5_K, TensorType.Q6_K, TensorType.Q8_0];

    /// <summary>Chooses.</summary>
    /// <param name="rounding">The original, and how it is rounded.</param>
    /// <param name="bytes">What all matrices together may take.</param>
    /// <param name="text">A text of the kind the model is for.</param>
    /// <param name="progress">Told how many KLs are measured, and of how many.</param>
    /// <param name="stop">Ends the work.</param>
    /// <returns>The type of each matrix by the parameter's name.</returns>
    /// <exception cref="InvalidInputException">The smallest types take more; says how much.</exception>
    public static IReadOnlyDictionary<string, TensorType> Choose(GptqRounding rounding, long bytes, string text, Action<int, int>? progress = null, CancellationToken stop = default) =>
        Choose(rounding, bytes, CalibrationText.Samples(rounding.Original, text, Samples, Length), progress, stop);

    internal static IReadOnlyDictionary<string, TensorType> Choose(GptqRounding rounding, long bytes, IReadOnlyList<Memory<int>> samples, Action<int, int>? progress, CancellationToken stop)
    {
        Model model = rounding.Original;
        // Parts of one tensor of the file share its type.
        Parameter[][] tensors = [.. GgufLayout.Of(model.Config).Tensors.Select(stored => stored.Parts.Select(part => part.Parameter).Where(parameter => parameter.IsMatrix).ToArray()).Where(parts => parts.Length > 0)];
        bool wide = tensors.All(parts => parts.All(parameter => parameter.Columns % TensorType.Q4_K.BlockLength() == 0));
        TensorType[][] types = [.. tensors.Select(parts => (wide ? s_wideTypes : s_types).Select(type => ModelWriter.Fitting(type, parts[0].Columns)).Distinct().ToArray())];
        long least = Bytes(new int[tensors.Length]);
        if (least > bytes)
            throw new InvalidInputException(model.Path, "size", $"{bytes} bytes cannot be met: the smallest types take {least}");
        OriginalLogits original = new(model, samples);
        int[][] uniform = [.. Enumerable.Range(1, types.Max(own => own.Length) - 1).Select(level => types.Select(own => Math.Min(level, own.Length - 1)).ToArray()).Where(levels => Bytes(levels) <= bytes)];
        int all = types.Sum(own => own.Length - 1) + 2 + uniform.Length, done = 0;
        int[] smallest = new int[tensors.Length];
        double start = Measure(smallest);
        double[][] kl = [.. tensors.Select((_, t) => Enumerable.Range(0, types[t].Length).Select(level => level == 0 ? start : Measure([.. smallest.Select((_, other) => other == t ? level : 0)])).ToArray())];
        (int[] Levels, double Kl)[] found = [.. uniform.Append(Greedy(tensors, types, kl, bytes - least)).Select(levels => (levels, Measure(levels)))];
        int[] best = found.Append((smallest, start)).MinBy(pair => pair.Item2).Item1;
        return tensors.SelectMany((parts, t) => parts.Select(parameter => (parameter.Name, Type: types[t][best[t]]))).DistinctBy(pair => pair.Name).ToDictionary(pair => pair.Name, pair => pair.Type);

        long Bytes(int[] levels) => tensors.Select((parts, t) => MixedTypes.Bytes(parts, types[t][levels[t]])).Sum();

        // In single precision, so that the KL is that of the roundings alone.
        double Measure(int[] levels)
        {
            stop.ThrowIfCancellationRequested();
            Dictionary<string, Tensor> changed = [];
            for (int t = 0; t < tensors.Length; t++)
            {
                foreach (Parameter parameter in tensors[t])
                    changed[parameter.Name] = rounding.Round(parameter, types[t][levels[t]]);
            }

            double own = original.Against(model.With(name => changed.GetValueOrDefault(name)?.ConvertTo(TensorType.F32) ?? model.Parameter(name)), stop).Kl;
            progress?.Invoke(++done, all);
            return own;
        }
    }

    private static int[] Greedy(Parameter[][] tensors, TensorType[][] types, double[][] kl, long room)
    {
        int[] chosen = new int[tensors.Length];
        while (true)
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
                return chosen;
            chosen[best.Tensor] = best.To;
            room -= best.Cost;
        }
    }

    private static long Bytes(Parameter[] parts, TensorType type) => parts.Sum(parameter => type.ByteLength(parameter.Count));
}
