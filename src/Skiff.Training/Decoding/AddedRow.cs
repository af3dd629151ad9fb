using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Training;

/// <summary>A model's parameters with room for one more token, whose rows of the embedding and the head begin as said.</summary>
/// <param name="start">The model.</param>
/// <param name="vocabulary">Rows that the tables are to have.</param>
/// <param name="id">The token: the rows before it stand for tokens, further ones pad the tables.</param>
/// <param name="copyOf">The token whose row it begins with; null for the mean of all.</param>
internal sealed class AddedRow(Model start, int vocabulary, int id, int? copyOf)
{
    /// <summary>A parameter by name.</summary>
    public Tensor Parameter(string name)
    {
        Tensor table = start.Parameter(name);
        if (name is not ("embedding.weight" or "head.weight" or "head.bias"))
            return table;
        // A bias is a column.
        int rows = start.Config.VocabSize, columns = (int)(table.Count / rows);
        table = table.Reshape(rows, columns);
        Tensor grown = Tensor.Allocate(TensorType.F32, vocabulary, columns);
        float[] row = new float[columns];
        double[] sum = new double[columns];
        for (int r = 0; r < rows; r++)
        {
            table.ReadRow(r, row);
            grown.WriteRow(r, row);
            for (int i = 0; i < columns && r < id; i++)
                sum[i] += row[i];
        }

        if (copyOf is { } other)
            table.ReadRow(other, row);
        else
            row = [.. sum.Select(value => (float)(value / id))];
        grown.WriteRow(id, row);
        return grown;
    }
}
