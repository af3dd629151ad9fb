namespace Skiff.Tensors;

/// <summary>The scalar twin of <see cref="MuonStep"/> in double precision, iterations written as published.</summary>
internal static class PlainMuon
{
    /// <summary>One step over p, g and m, all [R, C].</summary>
    public static void Step(double[] p, double[] g, double[] m, int columns, MuonSettings settings, double learningRate, double gradientScale)
    {
        int rows = p.Length / columns;
        double[] direction = new double[p.Length];
        for (int i = 0; i < p.Length; i++)
        {
            m[i] = settings.Momentum * m[i] + gradientScale * g[i];
            direction[i] = settings.Nesterov ? gradientScale * g[i] + settings.Momentum * m[i] : m[i];
        }

        double scale = settings.Scale == MuonScale.Original ? Math.Sqrt(Math.Max(1, (double)rows / columns)) : 0.2 * Math.Sqrt(Math.Max(rows, columns));
        double[] orthogonal = Orthogonalize(direction, columns);
        for (int i = 0; i < p.Length; i++)
            p[i] -= learningRate * (settings.WeightDecay * p[i] + scale * orthogonal[i]);
    }

    /// <summary>[R, C] with singular values near 1.</summary>
    public static double[] Orthogonalize(double[] matrix, int columns)
    {
        int rows = matrix.Length / columns;
        if (rows > columns)
            return Transpose(Orthogonalize(Transpose(matrix, columns), rows), rows);
        double norm = Math.Sqrt(matrix.Sum(v => v * v));
        double[] x = [.. matrix.Select(v => v / norm)];
        for (int step = 0; step < 5; step++)
        {
            double[] gram = Product(x, Transpose(x, columns), rows), square = Product(gram, gram, rows);
            double[] change = Product([.. gram.Zip(square, (g, s) => -4.7750 * g + 2.0315 * s)], x, columns);
            x = [.. x.Zip(change, (v, c) => 3.4445 * v + c)];
        }

        return x;
    }

    private static double[] Transpose(double[] matrix, int columns) =>
        [.. Enumerable.Range(0, matrix.Length).Select(i => matrix[i % (matrix.Length / columns) * columns + i / (matrix.Length / columns)])];

    // b [K, columns].
    private static double[] Product(double[] a, double[] b, int columns)
    {
        int inner = b.Length / columns;
        double[] result = new double[a.Length / inner * columns];
        for (int i = 0; i < a.Length; i++)
            for (int j = 0; j < columns; j++)
                result[i / inner * columns + j] += a[i] * b[i % inner * columns + j];
        return result;
    }
}
