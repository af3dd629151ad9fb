using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>Makes the tensors of a file out of parameters: the inverse of <see cref="ParameterStore"/>.</summary>
internal static class TensorAssembly
{
    /// <summary>Rows that are transposed together: a cache line of values.</summary>
    public const int Tile = 16;

    /// <summary>Entries for a writer, each assembled when its turn comes.</summary>
    /// <param name="layout">What the file holds.</param>
    /// <param name="typeOf">The number type of each tensor.</param>
    /// <param name="parameter">Yields a parameter by name.</param>
    /// <param name="importance">How much each input of a parameter's rows matters where they are quantized, or empty.</param>
    public static IReadOnlyList<TensorEntry> Entries(
        TensorLayout layout, Func<StoredTensor, TensorType> typeOf, Func<string, Tensor> parameter, Func<Parameter, float[]>? importance = null) =>
        [.. layout.Tensors.Select(stored =>
        {
            TensorType type = typeOf(stored);
            return new TensorEntry(stored.Name, type, stored.Shape, () => Assemble(stored, type, parameter, importance));
        })];

    /// <summary>One parameter in another number type, its rows shared among threads.</summary>
    public static Tensor Convert(Parameter parameter, TensorType type, Tensor tensor) =>
        Assemble(new StoredTensor(parameter.Name, parameter.Shape, new StoredPart(parameter)), type, _ => tensor, null);

    private static Tensor Assemble(StoredTensor stored, TensorType type, Func<string, Tensor> parameter, Func<Parameter, float[]>? importance)
    {
        Tensor[] parts = [.. stored.Parts.Select(p => parameter(p.Parameter.Name))];
        if (stored.Transposed)
            return AssembleTransposed(stored, type, parts);
        if (parts.Length == 1 && parts[0].Type == type && stored.Shift == 0 && stored.Parts[0].Order == RowOrder.Natural)
            return parts[0].Reshape(stored.Shape);
        float[][] weights = [.. stored.Parts.Select(p => importance?.Invoke(p.Parameter) ?? [])];
        Tensor result = Tensor.AllocateRaw(type, stored.Shape);
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
                RowCopy.Copy(parts[part], row, result, r, columns, stored.Shift, weights[part], scratch);
            }
        });
        return result;
    }

    private static Tensor AssembleTransposed(StoredTensor stored, TensorType type, Tensor[] parts)
    {
        int outputs = checked((int)stored.Shape[1]), inputs = checked((int)stored.Shape[0]);
        float[] matrix = new float[checked((long)outputs * inputs)];
        Parallel.For(0, (outputs + Tile - 1) / Tile, tile =>
        {
            int first = tile * Tile, count = Math.Min(Tile, outputs - first);
            float[] rows = new float[count * inputs];
            for (int i = 0; i < count; i++)
            {
                (int part, long at) = stored.Locate(first + i);
                parts[part].ReadRow(at, rows.AsSpan(i * inputs, inputs));
            }

            for (int c = 0; c < inputs; c++)
            {
                for (int i = 0; i < count; i++)
                    matrix[(long)c * outputs + first + i] = rows[i * inputs + c];
            }
        });

        Tensor result = Tensor.AllocateRaw(type, stored.Shape);
        for (int c = 0; c < inputs; c++)
            result.WriteRow(c, matrix.AsSpan(c * outputs, outputs));
        return result;
    }
}
