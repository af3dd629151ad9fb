// N tokens, V vocabulary
namespace Skiff.Tensors;

/// <summary>
/// The scalar twin of <see cref="LinearDistillation"/> from the products of hidden states and heads on, in double precision.
/// </summary>
internal static class PlainDistillation
{
    /// <summary>tau^2 KL(p || q) of one token; with <paramref name="gradient"/>, its derivatives by the student's logits s.</summary>
    public static double Row(ReadOnlySpan<double> student, ReadOnlySpan<double> teacher, double temperature, Span<double> gradient)
    {
        double[] q = new double[student.Length], p = new double[student.Length];
        for (int v = 0; v < q.Length; v++)
            (q[v], p[v]) = (student[v] / temperature, teacher[v] / temperature);
        Elementwise.Softmax(q);
        Elementwise.Softmax(p);
        double divergence = 0;
        for (int v = 0; v < q.Length; v++)
        {
            divergence += p[v] * Math.Log(p[v] / q[v]);
            if (gradient.Length > 0)
                gradient[v] = temperature * (q[v] - p[v]);
        }

        return temperature * temperature * divergence;
    }

    /// <summary>One token's logits cap tanh((scale hidden head^T + bias) / cap); no bias where it is empty.</summary>
    public static double[] Logits(ReadOnlySpan<double> hidden, ReadOnlySpan<double> head, ReadOnlySpan<double> bias, double scale, double cap)
    {
        double[] s = new double[head.Length / hidden.Length];
        for (int v = 0; v < s.Length; v++)
        {
            for (int i = 0; i < hidden.Length; i++)
                s[v] += scale * hidden[i] * head[v * hidden.Length + i];
            s[v] += bias.Length > 0 ? bias[v] : 0;
            if (cap > 0)
                s[v] = Elementwise.SoftCap(s[v], cap);
        }

        return s;
    }

    /// <summary>The loss of one token, its gradients times a scale added to those of the student's hidden state, head and bias.</summary>
    public static double Token(
        ReadOnlySpan<double> hidden, ReadOnlySpan<double> head, ReadOnlySpan<double> bias, double scale, double cap, ReadOnlySpan<double> teacher, double temperature,
        double gradientScale, Span<double> dHidden, Span<double> dHead, Span<double> dBias)
    {
        double[] s = Logits(hidden, head, bias, scale, cap), ds = new double[s.Length];
        double loss = Row(s, teacher, temperature, ds);
        for (int v = 0; v < s.Length && dHidden.Length > 0; v++)
        {
            double g = gradientScale * ds[v] * (cap > 0 ? 1 - s[v] / cap * s[v] / cap : 1);
            if (dBias.Length > 0)
                dBias[v] += g;
            for (int i = 0; i < hidden.Length; i++)
            {
                dHidden[i] += g * scale * head[v * hidden.Length + i];
                dHead[v * hidden.Length + i] += g * scale * hidden[i];
            }
        }

        return loss;
    }
}
