// O outputs, I inputs, R rank
using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>A matrix with a low-rank adapter worked in: W + scale B A (Hu et al., arXiv 2106.09685, equation 3).</summary>
internal static class LowRankUpdate
{
    /// <summary>The sum as a tensor of its own, single precision.</summary>
    /// <param name="weight">W, [O, I], of any number type.</param>
    /// <param name="up">B, [O, R], single precision.</param>
    /// <param name="down">A, [R, I], single precision.</param>
    /// <param name="scale">alpha / R, as a rule.</param>
    public static Tensor Add(Tensor weight, Tensor up, Tensor down, double scale)
    {
        Tensor sum = Tensor.AllocateRaw(TensorType.F32, [.. weight.Shape]);
        MatrixProduct.Multiply(MatrixView.Of(up), MatrixView.Of(down), MatrixView.Of(sum));
        Tensor plain = weight.Type == TensorType.F32 ? weight : weight.ConvertTo(TensorType.F32);
        AddScaled.Apply(plain.Floats(), sum.Floats(), (float)scale, sum.Floats());
        GC.KeepAlive((up, down, plain));
        return sum;
    }
}
