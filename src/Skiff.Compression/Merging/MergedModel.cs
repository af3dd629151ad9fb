using System.Numerics.Tensors;
using Skiff.Models;
using Skiff.Tensors;
using Tensor = Skiff.Tensors.Tensor;

namespace Skiff.Compression;

/// <summary>How two models of one shape become one.</summary>
public enum MergeMethod
{
    /// <summary>(1 - t) a + t b (model soups, arXiv 2203.05482).</summary>
    Linear,

    /// <summary>Along the arc between them, array by array: sin((1 - t) w) / sin w a + sin(t w) / sin w b, w the angle between a and b.</summary>
    Slerp,

    /// <summary>base + t (a - base) + t (b - base) (task arithmetic, arXiv 2212.04089).</summary>
    Task,
}

/// <summary>A model between models that were trained from a common one.</summary>
public static class MergedModel
{
    // Below this sine two arrays point the same way, or apart: the arc is a line, or none.
    private const double LeastSine = 1e-6;

    /// <summary>Merges. Arrays are worked out when they are asked for, in single precision.</summary>
    /// <param name="a">One model; the result has its tokenizer.</param>
    /// <param name="b">The other.</param>
    /// <param name="method">How.</param>
    /// <param name="t">How much of the other; for <see cref="MergeMethod.Task"/> how much of both.</param>
    /// <param name="from">What both were trained from, for <see cref="MergeMethod.Task"/>.</param>
    /// <exception cref="InvalidInputException">They do not compute the same thing; names the trait.</exception>
    public static Model Of(Model a, Model b, MergeMethod method, double t, Model? from = null)
    {
        if (method == MergeMethod.Task && from is null)
            throw new InvalidInputException("merge", "base", "is missing: task arithmetic adds what each model has moved from a common base");
        foreach (Model other in from is null ? new[] { b } : [b, from])
        {
            if (ConfigDifference.Between(a.Config, other.Config) is { } trait)
                throw new InvalidInputException(other.Path, trait, $"is another than that of {a.Path}: only models of one shape can be merged");
        }

        return a.With(a.Config, name => Merge(name, a, b, method, t, from), _ => TensorType.F32);
    }

    private static Tensor Merge(string name, Model a, Model b, MergeMethod method, double t, Model? from)
    {
        float[] x = Values(a.Parameter(name)), y = Values(b.Parameter(name));
        double ofA = 1 - t, ofB = t;
        if (method == MergeMethod.Slerp)
        {
            double norms = Math.Sqrt(Dot(x, x) * Dot(y, y)), cosine = norms > 0 ? Math.Clamp(Dot(x, y) / norms, -1, 1) : 1, angle = Math.Acos(cosine), sine = Math.Sin(angle);
            if (sine > LeastSine)
                (ofA, ofB) = (Math.Sin((1 - t) * angle) / sine, Math.Sin(t * angle) / sine);
        }

        float[] start = method == MergeMethod.Task ? Values(from!.Parameter(name)) : [];
        for (int i = 0; i < x.Length; i++)
            x[i] = method == MergeMethod.Task ? (float)(start[i] + (t * ((double)x[i] - start[i])) + (t * ((double)y[i] - start[i]))) : (float)((ofA * x[i]) + (ofB * y[i]));
        return Tensor.FromFloats(x, [.. a.Parameter(name).Shape]);
    }

    private static double Dot(float[] x, float[] y)
    {
        double sum = 0;
        foreach (float[][] pair in x.Chunk(4096).Zip(y.Chunk(4096), (a, b) => new[] { a, b }))
            sum += TensorPrimitives.Dot(pair[0], pair[1]);
        return sum;
    }

    private static float[] Values(Tensor tensor)
    {
        float[] values = new float[tensor.Count];
        tensor.Reshape(1, tensor.Count).ReadRow(0, values);
        return values;
    }
}
