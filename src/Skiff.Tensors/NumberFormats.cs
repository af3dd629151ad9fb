using System.Numerics.Tensors;
using System.Runtime.InteropServices;

namespace Skiff.Tensors;

/// <summary>Between stored numbers of every <see cref="TensorType"/> and single precision.</summary>
public static class NumberFormats
{
    /// <summary>Decodes whole blocks: <paramref name="source"/> holds exactly the bytes of <paramref name="destination"/>.Length values.</summary>
    public static void Decode(TensorType type, ReadOnlySpan<byte> source, Span<float> destination)
    {
        if (source.Length != type.ByteLength(destination.Length))
            throw new ArgumentException($"{source.Length} bytes do not hold {destination.Length} values of {type.Name()}", nameof(source));
        switch (type)
        {
            case TensorType.F32:
                MemoryMarshal.Cast<byte, float>(source).CopyTo(destination);
                break;
            case TensorType.F64:
                Convert(MemoryMarshal.Cast<byte, double>(source), destination);
                break;
            case TensorType.F16:
                TensorPrimitives.ConvertToSingle(MemoryMarshal.Cast<byte, Half>(source), destination);
                break;
            case TensorType.BF16:
                ReadOnlySpan<ushort> bits = MemoryMarshal.Cast<byte, ushort>(source);
                for (int i = 0; i < bits.Length; i++)
                    destination[i] = BitConverter.UInt32BitsToSingle((uint)bits[i] << 16);
                break;
            case TensorType.I64:
                Convert(MemoryMarshal.Cast<byte, long>(source), destination);
                break;
            case TensorType.I32:
                Convert(MemoryMarshal.Cast<byte, int>(source), destination);
                break;
            case TensorType.I16:
                Convert(MemoryMarshal.Cast<byte, short>(source), destination);
                break;
            case TensorType.I8:
                Convert(MemoryMarshal.Cast<byte, sbyte>(source), destination);
                break;
            case TensorType.U8 or TensorType.Bool:
                Convert(source, destination);
                break;
            case TensorType.Q4_0:
                Q4_0.Decode(source, destination);
                break;
            case TensorType.Q4_1:
                Q4_1.Decode(source, destination);
                break;
            case TensorType.Q5_0:
                Q5_0.Decode(source, destination);
                break;
            case TensorType.Q5_1:
                Q5_1.Decode(source, destination);
                break;
            case TensorType.Q8_0:
                Q8_0.Decode(source, destination);
                break;
            case TensorType.Q4_K:
                Q4K.Decode(source, destination);
                break;
            case TensorType.Q5_K:
                Q5K.Decode(source, destination);
                break;
            case TensorType.Q6_K:
                Q6K.Decode(source, destination);
                break;
            default:
                throw new NotSupportedException($"{type.Name()} cannot be decoded");
        }
    }

    /// <summary>
    /// Encodes whole blocks, rounding to nearest even, or by the block layout's reference method. A block that holds a NaN
    /// or an infinity becomes NaN throughout; values beyond what a half-precision scale reaches become infinite or NaN.
    /// </summary>
    public static void Encode(TensorType type, ReadOnlySpan<float> source, Span<byte> destination)
    {
        if (destination.Length != type.ByteLength(source.Length))
            throw new ArgumentException($"{destination.Length} bytes do not hold {source.Length} values of {type.Name()}", nameof(destination));
        switch (type)
        {
            case TensorType.F32:
                source.CopyTo(MemoryMarshal.Cast<byte, float>(destination));
                break;
            case TensorType.F64:
                Span<double> doubles = MemoryMarshal.Cast<byte, double>(destination);
                for (int i = 0; i < source.Length; i++)
                    doubles[i] = source[i];
                break;
            case TensorType.F16:
                TensorPrimitives.ConvertToHalf(source, MemoryMarshal.Cast<byte, Half>(destination));
                break;
            case TensorType.BF16:
                Span<ushort> bits = MemoryMarshal.Cast<byte, ushort>(destination);
                for (int i = 0; i < source.Length; i++)
                    bits[i] = ToBFloat16(source[i]);
                break;
            case TensorType.Q4_0:
                Q4_0.Encode(source, destination);
                break;
            case TensorType.Q4_1:
                Q4_1.Encode(source, destination);
                break;
            case TensorType.Q5_0:
                Q5_0.Encode(source, destination);
                break;
            case TensorType.Q5_1:
                Q5_1.Encode(source, destination);
                break;
            case TensorType.Q8_0:
                Q8_0.Encode(source, destination);
                break;
            case TensorType.Q4_K:
                Q4K.Encode(source, [], destination);
                break;
            case TensorType.Q5_K:
                Q5K.Encode(source, [], destination);
                break;
            case TensorType.Q6_K:
                Q6K.Encode(source, [], destination);
                break;
            default:
                throw new NotSupportedException($"{type.Name()} is not a type that weights are written in");
        }
    }

    /// <summary>Rounds to the nearest bfloat16, ties to even; a NaN stays a quiet NaN.</summary>
    public static ushort ToBFloat16(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        if (float.IsNaN(value))
            return (ushort)(bits >> 16 | 0x40);
        return (ushort)((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
    }

    private static void Convert<T>(ReadOnlySpan<T> source, Span<float> destination)
        where T : System.Numerics.INumberBase<T>
    {
        for (int i = 0; i < source.Length; i++)
            destination[i] = float.CreateTruncating(source[i]);
    }
}
