// V vocabulary
using System.Numerics;
using System.Runtime.Intrinsics;

namespace Skiff.Tensors;

/// <summary>What losses over a vocabulary do with one token's products of hidden state and head, [V].</summary>
internal static unsafe class LogitRow
{
    /// <summary>Values summed in single precision before the sum moves to double.</summary>
    public const int SumBlock = 1024;

    /// <summary>z becomes cap tanh((scale z + bias) / cap) / temperature; returns the largest.</summary>
    public static float Bend(float* z, int count, float* bias, float logitScale, float softCap, float temperature = 1)
    {
        float largest = float.NegativeInfinity;
        int i = 0;
        if (IsaChoice.Current == Isa.Avx512 && bias is null && softCap == 0 && temperature == 1)
        {
            Vector512<float> wide = Vector512.Create(largest), factor = Vector512.Create(logitScale);
            for (; i <= count - Vector512<float>.Count; i += Vector512<float>.Count)
            {
                Vector512<float> s = Vector512.Load(z + i) * factor;
                s.Store(z + i);
                wide = Vector512.MaxNative(wide, s);
            }

            largest = VectorFunctions.Largest(wide);
        }

        Vector<float> most = new(largest), scale = new(logitScale), cap = new(softCap);
        for (; i < count; i += Vector<float>.Count)
        {
            int rest = count - i;
            Vector<float> s = scale * VectorFunctions.Load(z + i, rest);
            if (bias is not null)
                s += VectorFunctions.Load(bias + i, rest);
            if (softCap > 0)
                s = cap * VectorFunctions.Tanh(s / cap);
            if (temperature != 1)
                s /= new Vector<float>(temperature);
            VectorFunctions.Store(s, z + i, rest);
            // Lanes behind the end of the row must not count.
            if (rest >= Vector<float>.Count)
                most = Vector.MaxNative(most, s);
            else
                for (int j = 0; j < rest; j++)
                    most = Vector.Max(most, new Vector<float>(z[i + j]));
        }

        for (int lane = 0; lane < Vector<float>.Count; lane++)
            largest = MathF.Max(largest, most[lane]);
        return largest;
    }

    /// <summary>The sum of e^(z - most).</summary>
    public static double ExpSum(float* z, float most, int count)
    {
        double sum = 0;
        bool hasWide = IsaChoice.Current == Isa.Avx512;
        Vector<float> shift = new(most);
        for (int start = 0; start < count; start += SumBlock)
        {
            int end = Math.Min(count, start + SumBlock), i = start;
            if (hasWide)
            {
                Vector512<float> wide = Vector512<float>.Zero;
                for (; i <= end - Vector512<float>.Count; i += Vector512<float>.Count)
                    wide += VectorFunctions.Exp(Vector512.Load(z + i) - Vector512.Create(most));
                sum += Vector512.Sum(wide);
            }

            Vector<float> block = Vector<float>.Zero;
            for (; i <= end - Vector<float>.Count; i += Vector<float>.Count)
                block += VectorFunctions.Exp(Vector.Load(z + i) - shift);
            sum += Vector.Sum(block);
            // The values that fill no vector.
            for (; i < end; i++)
                sum += Math.Exp(z[i] - most);
        }

        return sum;
    }
}
