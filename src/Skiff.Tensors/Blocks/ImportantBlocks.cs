using System.Runtime.Intrinsics;

namespace Skiff.Tensors;

/// <summary>
/// Encoders that know how much each value matters: a block's scale, and its minimum where it has one, are those that leave the least sum of
/// importance * (value - stored value)². Eight blocks are searched at once.
/// </summary>
internal static class ImportantBlocks
{
    // Spans of most - 1 to most + 1 steps.
    private const float FirstSpan = -1f;
    private const int Spans = 20;

    /// <summary>Whole blocks from floats.</summary>
    /// <param name="type">A quantized type.</param>
    /// <param name="source">Values.</param>
    /// <param name="importance">Of each value, above 0 and of a size that squares of values times it stay normal numbers.</param>
    /// <param name="destination">The blocks; those of Q8_0 are the same whatever the importance, for their codes are fine enough.</param>
    public static void Encode(TensorType type, ReadOnlySpan<float> source, ReadOnlySpan<float> importance, Span<byte> destination)
    {
        switch (type)
        {
            case TensorType.Q4_K:
                Q4K.Encode(source, importance, destination);
                break;
            case TensorType.Q5_K:
                Q5K.Encode(source, importance, destination);
                break;
            case TensorType.Q6_K:
                Q6K.Encode(source, importance, destination);
                break;
            case TensorType.Q4_0 or TensorType.Q4_1 or TensorType.Q5_0 or TensorType.Q5_1:
                EncodeSimple(type, source, importance, destination);
                break;
            default:
                NumberFormats.Encode(type, source, destination);
                break;
        }
    }

    private static void EncodeSimple(TensorType type, ReadOnlySpan<float> source, ReadOnlySpan<float> importance, Span<byte> destination)
    {
        const int Together = 8 * BlockMath.Group;
        Span<float> values = stackalloc float[Together], weights = stackalloc float[Together];
        int bytes = type.BlockBytes();
        for (int at = 0; at < source.Length; at += Together)
        {
            int count = Math.Min(Together, source.Length - at);
            values[count..].Clear();
            weights[count..].Fill(1);
            source.Slice(at, count).CopyTo(values);
            importance.Slice(at, count).CopyTo(weights);
            (Vector256<float> scales, Vector256<float> minima) = type switch
            {
                TensorType.Q4_0 => (KBlocks.FitSymmetric(values, weights, 8), default),
                TensorType.Q5_0 => (KBlocks.FitSymmetric(values, weights, 16), default),
                _ => KBlocks.Fit(values, weights, type == TensorType.Q4_1 ? 15 : 31, FirstSpan, Spans, isMinimumFree: true),
            };
            for (int b = 0; b < count / BlockMath.Group; b++, destination = destination[bytes..])
            {
                ReadOnlySpan<float> block = values.Slice(b * BlockMath.Group, BlockMath.Group);
                if (BlockMath.IsDamaged(block, destination[..bytes], 0))
                    continue;
                switch (type)
                {
                    case TensorType.Q4_0:
                        Q4_0.Write(block, scales[b], destination);
                        break;
                    case TensorType.Q5_0:
                        Q5_0.Write(block, scales[b], destination);
                        break;
                    case TensorType.Q4_1:
                        Q4_1.Write(block, scales[b], -minima[b], destination);
                        break;
                    default:
                        Q5_1.Write(block, scales[b], -minima[b], destination);
                        break;
                }
            }
        }
    }
}
