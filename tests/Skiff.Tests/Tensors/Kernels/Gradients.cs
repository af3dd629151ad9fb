namespace Skiff.Tests.Tensors;

/// <summary>Random values and central differences in double precision, for the tests of gradients.</summary>
internal static class Gradients
{
    public static float[] Values(Random random, int count, double size = 1) =>
        [.. Enumerable.Range(0, count).Select(_ => (float)((random.NextDouble() * 2 - 1) * size))];

    public static double[] Widen(float[] x) => [.. x.Select(value => (double)value)];

    /// <summary>Largest error of a gradient against finite differences, relative to the gradient's own largest entry.</summary>
    public static double Error(double[] x, double[] gradient, Func<double> loss)
    {
        double most = 1e-300, error = 0;
        for (int i = 0; i < x.Length; i++)
        {
            double kept = x[i];
            const double Step = 1e-3;
            // Five points: the error falls with the fourth power of the step.
            double slope = (8 * (At(Step) - At(-Step)) - (At(2 * Step) - At(-2 * Step))) / (12 * Step);
            x[i] = kept;
            most = Math.Max(most, Math.Abs(slope));
            error = Math.Max(error, Math.Abs(slope - gradient[i]));

            double At(double change)
            {
                x[i] = kept + change;
                return loss();
            }
        }

        return error / most;
    }

    /// <summary>Largest difference, relative to the largest expected entry (at least 1).</summary>
    public static double Distance(float[] actual, double[] expected)
    {
        double most = 1, error = 0;
        for (int i = 0; i < expected.Length; i++)
        {
            most = Math.Max(most, Math.Abs(expected[i]));
            double difference = Math.Abs(actual[i] - expected[i]);
            error = double.IsNaN(difference) ? double.PositiveInfinity : Math.Max(error, difference);
        }

        return error / most;
    }

    public static double Dot(double[] a, double[] b) => a.Zip(b, (x, y) => x * y).Sum();
}
