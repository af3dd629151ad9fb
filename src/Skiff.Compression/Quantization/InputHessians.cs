// N rows, K inputs of a matrix
using Skiff.Inference;
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Compression;

/// <summary>
/// Over a text, the sum of x x^T of what each matrix reads: half the second derivative of its squared output error by a row of its weights
/// (GPTQ, arXiv 2210.17323, section 3.1). Matrices that read the same rows share one.
/// </summary>
internal sealed class InputHessians
{
    // Single precision: 2 GiB of them at most.
    private const long MostValues = 1L << 29;

    private readonly Dictionary<string, Tensor> _byMatrix = [];

    /// <summary>[K, K] of a matrix, or null for one that read nothing.</summary>
    public Tensor? Of(string parameter) => _byMatrix.GetValueOrDefault(parameter);

    /// <summary>Reads samples through a model.</summary>
    /// <exception cref="InvalidInputException">The matrices are too wide for the memory of this.</exception>
    public static unsafe InputHessians Collect(Model model, IReadOnlyList<Memory<int>> samples, Action<int, int>? progress, CancellationToken stop)
    {
        InputHessians result = new();
        HashSet<string> names = [.. ParameterList.Of(model.Config).Select(p => p.Name)];
        long room = ParameterList.Of(model.Config).Where(p => p.IsMatrix && p.Layer >= 0 && Owner(p.Name) == p.Name).Sum(p => (long)p.Columns * p.Columns);
        if (room > MostValues)
            throw new InvalidInputException(model.Path, "gptq", $"{room * sizeof(float) >> 20} MiB of second derivatives are more than {MostValues * sizeof(float) >> 20}: quantize this model with an importance matrix instead");
        using InferenceEngine engine = new(model, new InferenceEngineOptions
        {
            MaxRows = samples.Max(sample => sample.Length),
            Inputs = (name, rows) =>
            {
                string owner = Owner(name);
                if (!result._byMatrix.TryGetValue(owner, out Tensor? hessian))
                    result._byMatrix.Add(owner, hessian = Tensor.Allocate(TensorType.F32, rows.Columns, rows.Columns));
                if (owner != name)
                    result._byMatrix[name] = hessian;
                else
                    MatrixProduct.Multiply(rows.Transposed, rows, new MatrixView((float*)hessian.Data, rows.Columns, rows.Columns), accumulate: true);
            },
        });
        for (int s = 0; s < samples.Count; s++)
        {
            stop.ThrowIfCancellationRequested();
            using InferenceSequence sequence = engine.CreateSequence(samples[s].Length);
            engine.Forward([new SequenceTokens(sequence, samples[s], WantedLogits.None)], []);
            progress?.Invoke(s + 1, samples.Count);
        }

        return result;

        string Owner(string name) => Shared(name) is var owner && names.Contains(owner) ? owner : name;
    }

    // The engine shows what query, key and value read three times, and what gate and up read twice.
    private static string Shared(string name)
    {
        string[] parts = name.Split('.');
        int at = Array.FindIndex(parts, part => part is "key" or "value" or "up");
        if (at < 0)
            return name;
        parts[at] = parts[at] == "up" ? "gate" : "query";
        return string.Join('.', parts);
    }
}
