namespace Skiff.Tensors;

/// <summary>Rows that several matrices read, as query, key and value do: whatever form they need them in is made once.</summary>
public sealed class Activations
{
    /// <summary>The rows, [M, inputs]; valid as long as their memory is.</summary>
    public MatrixView Rows { get; private set; }

    /// <summary>Takes rows over, which may be apart; they must not change while matrices are multiplied with them.</summary>
    /// <param name="rows">[M, inputs].</param>
    /// <param name="team">Threads to share the rows; the process's own when null.</param>
    /// <exception cref="ArgumentException">The values of a row lie apart.</exception>
    public void Set(MatrixView rows, ThreadTeam? team = null)
    {
        if (rows.ColumnStride != 1 && rows.Columns > 1)
            throw new ArgumentException("the values of a row lie apart", nameof(rows));
        Rows = rows;
    }
}
