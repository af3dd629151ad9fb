using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Text.Json.Nodes;
using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>A model with random weights: an architecture to load, time and train, with a tokenizer that covers its vocabulary.</summary>
public static class RandomModel
{
    private const float UsualDeviation = 0.02f;
    private const ulong Step = 0x9E3779B97F4A7C15;
    private static readonly Vector512<ulong> s_steps = Vector512.Create(1UL, 2, 3, 4, 5, 6, 7, 8) * Step;

    /// <summary>
    /// Matrices from N(0, r^2), r the description's <c>initializer_range</c> or 0.02, norm gains at 1, biases at 0. Each parameter has its own stream of random numbers, from the seed and
    /// its name, so that the same seed gives the same numbers whatever format or order they are written in.
    /// </summary>
    /// <param name="path">Name for messages and files.</param>
    /// <param name="config">The architecture.</param>
    /// <param name="seed">Any number.</param>
    /// <param name="type">The number type the model counts as having.</param>
    /// <exception cref="InvalidInputException">An <c>initializer_range</c> that is no number from 0 to 10.</exception>
    public static Model Create(string path, ModelConfig config, int seed, TensorType type)
    {
        Dictionary<string, Parameter> parameters = ParameterList.Of(config).ToDictionary(p => p.Name);
        float deviation = DeviationOf(config, path);
        return new Model(path, config, name => Fill(parameters[name], config, seed, deviation), _ => type, () => ByteLevelTokenizer.Create(config.VocabSize), type);
    }

    private static float DeviationOf(ModelConfig config, string path)
    {
        if (config.Source["initializer_range"] is not { } given)
            return UsualDeviation;
        if (given is JsonValue value && value.TryGetValue(out double range) && range is >= 0 and <= 10)
            return (float)range;
        throw new InvalidInputException(path, "initializer_range", $"must be a number from 0 to 10, not {given.ToJsonString()}");
    }

    private static Tensor Fill(Parameter parameter, ModelConfig config, int seed, float deviation)
    {
        Tensor tensor = Tensor.AllocateRaw(TensorType.F32, parameter.Shape);
        bool norm = parameter.Module.EndsWith("_norm", StringComparison.Ordinal);
        float constant = norm && parameter.Kind == "weight" ? 1 - config.Norm.GainOffset : 0;
        bool random = !norm && parameter.Kind != "bias" && !parameter.Kind.EndsWith("_bias", StringComparison.Ordinal);
        Parallel.For(0, parameter.Rows, row =>
        {
            Span<float> values = parameter.Shape.Length == 1 ? tensor.Floats().Slice((int)row, 1) : Row(tensor, parameter, row);
            if (!random)
                values.Fill(constant);
            else
                Gaussian(values, Hash(parameter.Name, seed, row), deviation);
        });
        return tensor;
    }

    /// <summary>Fills a parameter from N(0, deviation^2), by the seed and its name alone.</summary>
    internal static void Fill(Parameter parameter, Tensor tensor, long seed, float deviation)
    {
        Tensor matrix = tensor.Reshape(1, tensor.Count);
        if (parameter.Shape.Length > 1)
            matrix = tensor.Reshape(parameter.Rows, parameter.Columns);
        Parallel.For(0, matrix.Rows, row => Gaussian(MemoryMarshal.Cast<byte, float>(matrix.MutableRowBytes(row)), Hash(parameter.Name, seed, row), deviation));
    }

    private static Span<float> Row(Tensor tensor, Parameter parameter, long row)
    {
        Tensor matrix = tensor.Reshape(parameter.Rows, parameter.Columns);
        return MemoryMarshal.Cast<byte, float>(matrix.MutableRowBytes(row));
    }

    // FNV-1a over the name, then the seed and the row.
    private static ulong Hash(string name, long seed, long row)
    {
        ulong hash = 0xcbf29ce484222325;
        foreach (char c in name)
            hash = (hash ^ c) * 0x100000001b3;
        return (hash ^ (ulong)seed) * 0x100000001b3 ^ (ulong)row * Step;
    }

    // Sums of four 16-bit numbers are near enough to normal here, and ten times faster than the Box-Muller form.
    private static void Gaussian(Span<float> values, ulong state, float deviation)
    {
        float scale = deviation / MathF.Sqrt(4 * 65536f * 65536f / 12);
        int i = 0;
        for (; i <= values.Length - 16; i += 16, state = unchecked(state + 16 * Step))
        {
            Vector512<uint> sums = Vector512.Narrow(Sums(Vector512.Create(state) + s_steps), Sums(Vector512.Create(unchecked(state + 8 * Step)) + s_steps));
            (Vector512.ConvertToSingle(sums.AsInt32() - Vector512.Create(2 * 65535)) * scale).CopyTo(values[i..]);
        }

        for (; i < values.Length; i++)
            values[i] = ((int)Sums(Vector512.Create(state += Step))[0] - 2 * 65535) * scale;
    }

    // splitmix64 draws eight numbers; the four quarters of each are added up.
    private static Vector512<ulong> Sums(Vector512<ulong> z)
    {
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
        z = (z ^ z >> 27) * 0x94D049BB133111EB;
        z ^= z >> 31;
        Vector512<ulong> quarter = Vector512.Create(0xFFFFUL);
        return (z & quarter) + (z >> 16 & quarter) + (z >> 32 & quarter) + (z >> 48);
    }
}
