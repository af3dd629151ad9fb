// V vocabulary
using System.Buffers;
using System.Numerics;

namespace Skiff.Tensors;

/// <summary>How a student's distribution q, or its logits s, is told apart from the teacher's p, or t; of both at the temperature.</summary>
public enum Divergence
{
    /// <summary>KL(p || q): the teacher is what is aimed at (Minitron's choice, arXiv 2407.14679, section 4).</summary>
    ForwardKl,

    /// <summary>KL(q || p): the student keeps to what the teacher finds likely.</summary>
    ReverseKl,

    /// <summary>Half of KL(p || m) and half of KL(q || m), m their mean.</summary>
    JensenShannon,

    /// <summary>The mean of (s - t)^2 over the vocabulary.</summary>
    MeanSquare,

    /// <summary>1 - cos(s, t).</summary>
    Cosine,
}

/// <summary>
/// One token's divergence and its gradient over two rows of logits [V] as <see cref="LogitRow.Bend"/> leaves them. The student's row becomes
/// the gradient: of the loss with respect to its bent logits, times a factor, through the cap.
/// </summary>
internal static unsafe class DivergenceRow
{
    /// <summary>The loss without the temperature's square, and the gradient where one is asked for.</summary>
    /// <param name="kind">Which.</param>
    /// <param name="s">[V] of the student.</param>
    /// <param name="t">[V] of the teacher.</param>
    /// <param name="count">V.</param>
    /// <param name="gradient">Whether the student's row becomes the gradient.</param>
    /// <param name="factor">On the gradient.</param>
    /// <param name="inverseCap">Temperature over cap, or 0 without one.</param>
    public static double Apply(Divergence kind, float* s, float* t, int count, bool gradient, float factor, float inverseCap)
    {
        Scalars scalars = kind is Divergence.MeanSquare or Divergence.Cosine ? Products(kind, s, t, count) : Logarithms(kind, s, t, count);
        if (!gradient)
            return scalars.Loss;
        Vector<float> scale = new(factor), inverse = new(inverseCap);
        for (int i = 0; i < count; i += Vector<float>.Count)
        {
            int rest = count - i;
            Vector<float> a = VectorFunctions.Load(s + i, rest), b = VectorFunctions.Load(t + i, rest), bent = a * inverse;
            VectorFunctions.Store(Slope(kind, a, b, scalars) * scale * (Vector<float>.One - (bent * bent)), s + i, rest);
        }

        return scalars.Loss;
    }

    /// <summary>The same over the ids that the teacher finds likeliest alone, both distributions anew over those; all other gradients are 0.</summary>
    public static double ApplyTop(Divergence kind, float* s, float* t, int count, int top, bool gradient, float factor, float inverseCap)
    {
        int[] ids = ArrayPool<int>.Shared.Rent(count);
        float[] room = ArrayPool<float>.Shared.Rent(count);
        try
        {
            for (int i = 0; i < count; i++)
                (ids[i], room[i]) = (i, -t[i]);
            Array.Sort(room, ids, 0, count);
            for (int k = 0; k < top; k++)
                room[k] = t[ids[k]];
            return ApplyTop(kind, s, ids.AsSpan(0, top), room.AsSpan(0, top), count, gradient, factor, inverseCap);
        }
        finally
        {
            ArrayPool<int>.Shared.Return(ids);
            ArrayPool<float>.Shared.Return(room);
        }
    }

    /// <summary>The same over given ids and the teacher's logits of these.</summary>
    public static double ApplyTop(Divergence kind, float* s, ReadOnlySpan<int> ids, ReadOnlySpan<float> t, int count, bool gradient, float factor, float inverseCap)
    {
        int top = ids.Length;
        float[] room = ArrayPool<float>.Shared.Rent(2 * top);
        try
        {
            fixed (float* chosen = room)
            {
                for (int k = 0; k < top; k++)
                    (chosen[k], chosen[top + k]) = (s[ids[k]], t[k]);
                double loss = Apply(kind, chosen, chosen + top, top, gradient, factor, inverseCap);
                if (gradient)
                {
                    new Span<float>(s, count).Clear();
                    for (int k = 0; k < top; k++)
                        s[ids[k]] = chosen[k];
                }

                return loss;
            }
        }
        finally
        {
            ArrayPool<float>.Shared.Return(room);
        }
    }

    // d loss / d s; shifts make logarithms of probabilities of the logits.
    private static Vector<float> Slope(Divergence kind, Vector<float> s, Vector<float> t, in Scalars scalars)
    {
        Vector<float> a = s - new Vector<float>(scalars.ShiftS), b = t - new Vector<float>(scalars.ShiftT), mean = new((float)scalars.Mean);
        return kind switch
        {
            Divergence.ForwardKl => VectorFunctions.Exp(a) - VectorFunctions.Exp(b),
            Divergence.ReverseKl => VectorFunctions.Exp(a) * (a - b - mean),
            Divergence.JensenShannon => new Vector<float>(0.5f) * VectorFunctions.Exp(a) * (a - Middle(a, b) - mean),
            Divergence.MeanSquare => new Vector<float>((float)scalars.Mean) * (s - t),
            _ => (new Vector<float>((float)scalars.Mean) * s) - (new Vector<float>((float)scalars.Other) * t),
        };
    }

    // log((e^a + e^b) / 2).
    private static Vector<float> Middle(Vector<float> a, Vector<float> b)
    {
        Vector<float> most = Vector.Max(a, b);
        return most + Vector.Log((VectorFunctions.Exp(a - most) + VectorFunctions.Exp(b - most)) * new Vector<float>(0.5f));
    }

    private static Scalars Logarithms(Divergence kind, float* s, float* t, int count)
    {
        float shiftS = Shift(s, count), shiftT = Shift(t, count);
        double loss = 0, mean = 0;
        for (int start = 0; start < count; start += LogitRow.SumBlock)
        {
            Vector<float> losses = Vector<float>.Zero, means = Vector<float>.Zero;
            int end = Math.Min(count, start + LogitRow.SumBlock);
            for (int i = start; i < end; i += Vector<float>.Count)
            {
                int rest = end - i;
                // Lanes behind the end have no probability.
                Vector<float> a = VectorFunctions.Load(s + i, rest) - new Vector<float>(shiftS), b = VectorFunctions.Load(t + i, rest) - new Vector<float>(shiftT);
                Vector<float> q = VectorFunctions.Exp(a), p = VectorFunctions.Exp(b);
                if (rest < Vector<float>.Count)
                    (q, p) = (First(q, rest), First(p, rest));
                switch (kind)
                {
                    case Divergence.ForwardKl:
                        losses += p * (b - a);
                        break;
                    case Divergence.ReverseKl:
                        losses += q * (a - b);
                        break;
                    default:
                        Vector<float> middle = Middle(a, b);
                        losses += new Vector<float>(0.5f) * ((p * (b - middle)) + (q * (a - middle)));
                        means += q * (a - middle);
                        break;
                }
            }

            loss += Vector.Sum(losses);
            mean += Vector.Sum(means);
        }

        return new Scalars(loss, shiftS, shiftT, kind == Divergence.ReverseKl ? loss : mean, 0);
    }

    private static Scalars Products(Divergence kind, float* s, float* t, int count)
    {
        double ss = 0, tt = 0, st = 0, squares = 0;
        for (int i = 0; i < count; i++)
        {
            double a = s[i], b = t[i];
            ss += a * a;
            tt += b * b;
            st += a * b;
            squares += (a - b) * (a - b);
        }

        if (kind == Divergence.MeanSquare)
            return new Scalars(squares / count, 0, 0, 2.0 / count, 0);
        double norms = Math.Sqrt(ss * tt);
        return norms > 0 ? new Scalars(1 - (st / norms), 0, 0, st / (norms * ss), 1 / norms) : new Scalars(1, 0, 0, 0, 0);
    }

    private static float Shift(float* z, int count)
    {
        float most = LogitRow.Bend(z, count, null, 1, 0);
        return (float)(most + Math.Log(LogitRow.ExpSum(z, most, count)));
    }

    private static Vector<float> First(Vector<float> values, int count)
    {
        float* room = stackalloc float[Vector<float>.Count];
        values.Store(room);
        return VectorFunctions.LoadFirst(room, count);
    }

    private readonly record struct Scalars(double Loss, float ShiftS, float ShiftT, double Mean, double Other);
}
