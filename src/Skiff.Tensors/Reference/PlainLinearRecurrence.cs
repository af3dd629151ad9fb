// B rows of a batch, T time, W channels
namespace Skiff.Tensors;

/// <summary>The scalar twin of <see cref="LinearRecurrence"/>: the plain formulas in double precision. Rows have no gaps.</summary>
internal static class PlainLinearRecurrence
{
    public static void Forward(
        ReadOnlySpan<double> x, ReadOnlySpan<double> inputGate, ReadOnlySpan<double> recurrenceGate, ReadOnlySpan<double> decay,
        ReadOnlySpan<int> documentStarts, int time, Span<double> h)
    {
        int width = decay.Length;
        for (int at = 0; at < h.Length; at++)
        {
            (int n, int w) = (at / width, at % width);
            double gated = Elementwise.Sigmoid(inputGate[at]) * x[at], a = Math.Exp(-8 * Elementwise.Sigmoid(recurrenceGate[at]) * Elementwise.Softplus(decay[w]));
            h[at] = documentStarts[n] == n % time ? gated : a * h[at - width] + Math.Sqrt(1 - a * a) * gated;
        }
    }

    /// <summary>Gradients of the sum of dh times h: all but dDecay, which is added to, overwritten.</summary>
    public static void Backward(
        ReadOnlySpan<double> dh, ReadOnlySpan<double> x, ReadOnlySpan<double> inputGate, ReadOnlySpan<double> recurrenceGate, ReadOnlySpan<double> decay,
        ReadOnlySpan<int> documentStarts, int time, ReadOnlySpan<double> h, Span<double> dx, Span<double> dInputGate, Span<double> dRecurrenceGate, Span<double> dDecay)
    {
        int width = decay.Length;
        double[] g = dh.ToArray();
        for (int at = g.Length - 1; at >= 0; at--)
        {
            (int n, int w) = (at / width, at % width);
            double input = Elementwise.Sigmoid(inputGate[at]), r = Elementwise.Sigmoid(recurrenceGate[at]), dGated = g[at];
            dRecurrenceGate[at] = 0;
            if (documentStarts[n] != n % time)
            {
                double a = Math.Exp(-8 * r * Elementwise.Softplus(decay[w])), root = Math.Sqrt(1 - a * a);
                double dLog = g[at] * (h[at - width] - a / root * input * x[at]) * a;
                dRecurrenceGate[at] = dLog * -8 * Elementwise.Softplus(decay[w]) * r * (1 - r);
                dDecay[w] += dLog * -8 * r * Elementwise.Sigmoid(decay[w]);
                g[at - width] += a * g[at];
                dGated *= root;
            }

            dx[at] = dGated * input;
            dInputGate[at] = dGated * x[at] * input * (1 - input);
        }
    }
}
