using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>
/// How much each input of each matrix matters: the mean square of what came in over some text. An error e of weight [i, k] moves output i by
/// e x[k], so squared errors weighted with these means are those of the outputs. Kept in a GGUF file as llama.cpp's imatrix keeps it:
/// <c>NAME.in_sum2</c> [matrices, K] and <c>NAME.counts</c> [matrices, 1] for each tensor NAME of the model's own GGUF file.
/// </summary>
public sealed class ImportanceMatrix
{
    // An input that was never used still gets a little weight, for other texts may use it.
    private const float Least = 1e-4f;

    private const string Squares = ".in_sum2", Counts = ".counts", Kind = "imatrix";

    private readonly Dictionary<string, InputSquares> _inputs = [];

    /// <summary>Tokens that went through the model.</summary>
    public long Tokens => _inputs.Count == 0 ? 0 : _inputs.Values.Max(i => i.Count);

    /// <summary>Takes in what came into a matrix.</summary>
    /// <param name="parameter">The matrix's name.</param>
    /// <param name="rows">[N, K].</param>
    internal unsafe void Add(string parameter, MatrixView rows)
    {
        if (!_inputs.TryGetValue(parameter, out InputSquares? inputs))
            _inputs.Add(parameter, inputs = new InputSquares(new double[rows.Columns]));
        for (int r = 0; r < rows.Rows; r++)
        {
            float* x = rows.Data + r * rows.RowStride;
            for (int k = 0; k < inputs.Sums.Length; k++)
                inputs.Sums[k] += (double)x[k] * x[k];
        }

        inputs.Count += rows.Rows;
    }

    /// <summary>The importance of a matrix's inputs, 1 on average; empty for one that saw nothing, as of embeddings and heads.</summary>
    internal float[] WeightsOf(Parameter parameter)
    {
        if (!_inputs.TryGetValue(parameter.Name, out InputSquares? inputs) || inputs.Count == 0)
            return [];
        // As a file keeps them, so that it serves like the text it comes from.
        double[] sums = [.. inputs.Sums.Select(sum => (double)(float)sum)];
        double mean = sums.Average();
        return mean > 0 ? [.. sums.Select(sum => (float)(sum / mean) + Least)] : [];
    }

    /// <summary>Refuses what is of another model, or was spoilt by numbers that are not finite.</summary>
    /// <param name="config">The model.</param>
    /// <param name="source">Where the matrix comes from, for messages.</param>
    /// <exception cref="InvalidInputException">Names the tensor.</exception>
    public void Check(ModelConfig config, string source)
    {
        foreach (StoredTensor tensor in Matrices(config))
        {
            foreach (Parameter parameter in tensor.Parts.Select(p => p.Parameter))
            {
                if (!_inputs.TryGetValue(parameter.Name, out InputSquares? inputs))
                    throw new InvalidInputException(source, tensor.Name, "there is nothing about this matrix: it is another model's, or the text is too short to reach every expert");
                if (inputs.Sums.Length != parameter.Columns)
                    throw new InvalidInputException(source, tensor.Name, $"has {inputs.Sums.Length} inputs where the model has {parameter.Columns}: it is of another model");
                if (inputs.Sums.Any(sum => !double.IsFinite(sum) || sum < 0))
                    throw new InvalidInputException(source, tensor.Name, "a mean square is no finite number from 0: the model's activations overflow, or the file is damaged");
            }
        }
    }

    /// <summary>Writes a file that llama.cpp's quantizer takes, too.</summary>
    /// <param name="path">The file.</param>
    /// <param name="config">The model; what it is called there.</param>
    /// <param name="text">Name of the text, without its folder.</param>
    /// <param name="chunk">Tokens that went through the model in one sequence.</param>
    public void Write(string path, ModelConfig config, string text, int chunk)
    {
        Check(config, path);
        GgufMetadata metadata = new();
        metadata.Add("general.type", Kind);
        metadata.Add("imatrix.datasets", new[] { text });
        metadata.Add("imatrix.chunk_count", checked((uint)Math.Max(1, Tokens / chunk)));
        metadata.Add("imatrix.chunk_size", checked((uint)chunk));
        List<TensorEntry> entries = [];
        foreach (StoredTensor tensor in Matrices(config))
        {
            InputSquares[] matrices = [.. Stacked(tensor).Select(p => _inputs[p.Name])];
            float[] sums = [.. matrices.SelectMany(m => m.Sums).Select(sum => (float)sum)], counts = [.. matrices.Select(m => (float)m.Count)];
            entries.Add(TensorEntry.Of(tensor.Name + Squares, Tensor.FromFloats(sums, matrices.Length, matrices[0].Sums.Length)));
            entries.Add(TensorEntry.Of(tensor.Name + Counts, Tensor.FromFloats(counts, matrices.Length, 1)));
        }

        GgufWriter.Write(path, metadata, entries);
    }

    /// <summary>Reads a file of a model.</summary>
    /// <exception cref="InvalidInputException">The file is no importance matrix, or is of another model; names the tensor.</exception>
    public static ImportanceMatrix Read(string path, ModelConfig config)
    {
        using GgufFile file = GgufFile.Open(path);
        if (!file.Metadata.TryGet("general.type", out string? kind) || kind != Kind)
            throw new InvalidInputException(path, "general.type", $"is {(kind is null ? "missing" : $"'{kind}'")}: no importance matrix, which has '{Kind}'");
        ImportanceMatrix read = new();
        foreach (StoredTensor tensor in Matrices(config))
        {
            if (!file.Tensors.TryGetValue(tensor.Name + Squares, out Tensor? sums) || !file.Tensors.TryGetValue(tensor.Name + Counts, out Tensor? counts))
                throw new InvalidInputException(path, tensor.Name, "there is nothing about this matrix: the file is of another model");
            Parameter[] matrices = Stacked(tensor);
            if (sums.Type != TensorType.F32 || counts.Type != TensorType.F32 || sums.Count != matrices.Length * (long)matrices[0].Columns || counts.Count != matrices.Length)
                throw new InvalidInputException(path, tensor.Name, $"has {sums} and {counts}, not f32 of {matrices.Length} matrices with {matrices[0].Columns} inputs: it is of another model");
            for (int m = 0; m < matrices.Length; m++)
            {
                float count = counts.Floats()[m];
                if (!(count is >= 0 and <= 1e15f))
                    throw new InvalidInputException(path, tensor.Name + Counts, $"{count} is no number of tokens");
                InputSquares inputs = new([.. sums.Floats().Slice(m * matrices[m].Columns, matrices[m].Columns).ToArray().Select(sum => (double)sum)]) { Count = (long)count };
                // Matrices that are stored as one tensor read the same input.
                foreach (Parameter parameter in matrices.Length > 1 ? [matrices[m]] : tensor.Parts.Select(p => p.Parameter))
                    read._inputs[parameter.Name] = inputs;
            }
        }

        read.Check(config, path);
        return read;
    }

    // What llama.cpp counts too: the blocks' matrices, without embeddings and heads.
    private static IEnumerable<StoredTensor> Matrices(ModelConfig config) =>
        GgufLayout.Of(config).Tensors.Where(t => t.Parts[0].Parameter is { IsMatrix: true, Layer: >= 0 });

    // The matrices with inputs of their own: each expert, but of query, key and value in one tensor only the first.
    private static Parameter[] Stacked(StoredTensor tensor) =>
        tensor.Parts[0].Parameter.Index < 0 ? [tensor.Parts[0].Parameter] : [.. tensor.Parts.Select(p => p.Parameter)];

    private sealed class InputSquares(double[] sums)
    {
        public double[] Sums => sums;

        public long Count { get; set; }
    }
}
