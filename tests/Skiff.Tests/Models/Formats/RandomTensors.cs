using CsCheck;
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Tests.Models;

/// <summary>Entries of random names, types, shapes and bytes, and their comparison after a round trip.</summary>
internal static class RandomTensors
{
    /// <summary>Up to 8 entries whose types pass <paramref name="allowed"/>; empty dimensions and scalars among them.</summary>
    public static Gen<List<TensorEntry>> Entries(Func<TensorType, bool> allowed, int most = 4)
    {
        TensorType[] types = [.. Enum.GetValues<TensorType>().Where(allowed)];
        Gen<(TensorType Type, long[] Shape, int Seed)> one = Gen.Select(Gen.Int[0, types.Length - 1].Select(n => types[n]), Gen.Long[0, 5].Array[0, most], Gen.Int[0, 1 << 20]);
        return one.List[0, 8].Select(list => list.Select((t, n) => Entry($"{n}/ä\"{t.Seed}", t.Type, t.Shape, t.Seed)).ToList());
    }

    public static bool Same(IReadOnlyList<TensorEntry> expected, IReadOnlyDictionary<string, Tensor> actual)
    {
        if (expected.Count != actual.Count)
            return false;
        foreach (TensorEntry entry in expected)
        {
            Tensor tensor = actual[entry.Name];
            if (tensor.Type != entry.Type || !tensor.Shape.SequenceEqual(entry.Shape) || !tensor.Bytes().SequenceEqual(entry.Load().Bytes()))
                return false;
        }

        return true;
    }

    private static TensorEntry Entry(string name, TensorType type, long[] shape, int seed)
    {
        // Quantized rows are whole blocks.
        if (type.IsQuantized() && shape.Length == 0)
            shape = [type.BlockLength()];
        else if (type.IsQuantized())
            shape[^1] *= type.BlockLength();
        Tensor tensor = Tensor.Allocate(type, shape);
        Random random = new(seed);
        for (long row = 0; row < tensor.Rows; row++)
            random.NextBytes(tensor.MutableRowBytes(row));
        return TensorEntry.Of(name, tensor);
    }
}
