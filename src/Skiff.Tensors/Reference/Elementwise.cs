namespace Skiff.Tensors;

/// <summary>Nonlinearities and the softmax, each value computed in double precision.</summary>
public static class Elementwise
{
    /// <summary>x sigmoid(x).</summary>
    public static double Silu(double x) => x / (1 + Math.Exp(-x));

    /// <summary>x sigmoid(1.702 x).</summary>
    public static double QuickGelu(double x) => x / (1 + Math.Exp(-1.702 * x));

    /// <summary>x Phi(x), with the normal distribution's integral from the error function.</summary>
    public static double Gelu(double x) => 0.5 * x * (1 + ErrorFunction(x / Math.Sqrt(2)));

    /// <summary>0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))).</summary>
    public static double GeluTanh(double x) => 0.5 * x * (1 + Math.Tanh(Math.Sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x)));

    /// <summary>max(x, 0).</summary>
    public static double Relu(double x) => Math.Max(x, 0);

    /// <summary>max(x, 0)^2.</summary>
    public static double Relu2(double x) => x > 0 ? x * x : 0;

    /// <summary>1 / (1 + e^-x).</summary>
    public static double Sigmoid(double x) => 1 / (1 + Math.Exp(-x));

    /// <summary>log(1 + e^x), without overflow.</summary>
    public static double Softplus(double x) => x > 30 ? x : Math.Log(1 + Math.Exp(x));

    /// <summary>cap tanh(x / cap).</summary>
    public static double SoftCap(double x, double cap) => cap * Math.Tanh(x / cap);

    /// <summary>e^x / sum e^x in place; entries of negative infinity become 0.</summary>
    public static void Softmax(Span<double> x)
    {
        double most = double.NegativeInfinity, sum = 0;
        foreach (double value in x)
            most = Math.Max(most, value);
        for (int i = 0; i < x.Length; i++)
            sum += x[i] = Math.Exp(x[i] - most);
        for (int i = 0; i < x.Length; i++)
            x[i] /= sum;
    }

    /// <summary>
    /// erf(x) to full double precision: the series for small |x|, the continued fraction of erfc beyond
    /// (Abramowitz and Stegun, 7.1.6 and 7.1.14).
    /// </summary>
    public static double ErrorFunction(double x)
    {
        double a = Math.Abs(x);
        if (a > 6)
            return Math.Sign(x);
        double result;
        if (a < 2.5)
        {
            double term = a, sum = a;
            for (int n = 1; Math.Abs(term) > 1e-18 * sum; n++)
                sum += term *= 2 * a * a / (2 * n + 1);
            result = 2 / Math.Sqrt(Math.PI) * Math.Exp(-a * a) * sum;
        }
        else
        {
            double fraction = a;
            for (int n = 60; n > 0; n--)
                fraction = a + n / 2.0 / fraction;
            result = 1 - Math.Exp(-a * a) / (Math.Sqrt(Math.PI) * fraction);
        }

        return Math.CopySign(result, x);
    }
}
