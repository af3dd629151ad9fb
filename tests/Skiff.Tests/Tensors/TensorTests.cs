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

    [Fact]
    public void AViewOfAFileThatWasForgottenIsReadAgain()
    {
        string path = Path.GetTempFileName();
        byte[] bytes = [.. Enumerable.Range(0, 40_000).Select(i => (byte)(i * 7))];
        File.WriteAllBytes(path, bytes);
        using (MappedFile file = MappedFile.Open(path))
        {
            Tensor view = file.Tensor(64, TensorType.U8, 9_000).Reshape(9, 1_000).Slice(2, 5);
            view.Forget();
            Assert.True(bytes.AsSpan(2_064, 5_000).SequenceEqual(view.Bytes()));
        }

        File.Delete(path);
    }

    [Fact]
    public void MemoryOfItsOwnIsNeverForgotten()
    {
        Tensor tensor = Tensor.FromFloats([1, 2, 3], 3);
        tensor.Reshape(1, 3).Forget();
        Assert.Equal([1, 2, 3], tensor.Floats().ToArray());
    }
}
