using Skiff.Tensors;

namespace Skiff.Tests.Tensors;

public sealed class TensorTests
{
    [Fact]
    public void ARowSurvivesEveryFloatType()
    {
        float[] row = [0f, 1f, -2.5f, 0.15625f];
        foreach (TensorType type in new[] { TensorType.F64, TensorType.F32, TensorType.F16, TensorType.BF16 })
        {
            Tensor tensor = Tensor.Allocate(type, 2, 4);
            tensor.WriteRow(1, row);
            float[] back = new float[4];
            tensor.ReadRow(1, back);
            Assert.Equal(row, back);
        }
    }
}
