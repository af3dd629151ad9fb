using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>Makes the tensors of a file out of parameters: the inverse of <see cref="ParameterStore"/>.</summary>
internal static class TensorAssembly
{
    /// <summary>Entries for a writer, each assembled when its turn comes.</summary>
    /// <param name="layout">What the file holds.</param>
    /// <param name="typeOf">The number type of each tensor.</param>
    /// <param name="parameter">Yields a parameter by name.</param>
    public static IReadOnlyList<TensorEntry> Entries(TensorLayout layout, Func<StoredTensor, TensorType> typeOf, Func<string, Tensor> parameter) =>
        [.. layout.Tensors.Select(stored =>
        {
            TensorType type = typeOf(stored);
            return new TensorEntry(stored.Name, type, stored.Shape, () => Assemble(stored, type, parameter));
        })];

    private static Tensor Assemble(StoredTensor stored, TensorType type, Func<string, Tensor> parameter)
    {
        Tensor[] parts = [.. stored.Parts.Select(p => parameter(p.Parameter.Name))];
        if (stored.Transposed)
            return AssembleTransposed(stored, type, parts);
        if (parts.Length == 1 && parts[0].Type == type && stored.Shift == 0 && stored.Parts[0].Order == RowOrder.Natural)
            return parts[0].Reshape(stored.Shape);
        Tensor result = Tensor.Allocate(type, stored.Shape);
        int columns = stored.Parts[0].Parameter.Columns;
        long rows = stored.Parts.Sum(p => p.Parameter.Rows);
        // Quantizing is the slow part; rows do not depend on each other.
        long perTask = Math.Max(1, (1 << 18) / columns);
        Parallel.For(0, (rows + perTask - 1) / perTask, task =>
        {
            float[] scratch = new float[columns];
            for (long r = task * perTask; r < Math.Min(rows, (task + 1) * perTask); r++)
            {
                (int part, long row) = stored.Locate(r);
                RowCopy.Copy(parts[part], row, result, r, columns, stored.Shift, scratch);
            }
        });
        return result;
    }

    private static Tensor AssembleTransposed(StoredTensor stored, TensorType type, Tensor[] parts)
    {
        int outputs = checked((int)stored.Shape[1]), inputs = checked((int)stored.Shape[0]);
        float[] matrix = new float[checked((long)outputs * inputs)];
        float[] row = new float[inputs];
        for (int r = 0; r < outputs; r++)
        {
            (int part, long at) = stored.Locate(r);
            parts[part].ReadRow(at, row);
            for (int c = 0; c < inputs; c++)
                matrix[(long)c * outputs + r] = row[c];
        }

        Tensor result = Tensor.Allocate(type, stored.Shape);
        for (int c = 0; c < inputs; c++)
            result.WriteRow(c, matrix.AsSpan(c * outputs, outputs));
        return result;
    }
}
