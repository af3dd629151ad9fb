using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Skiff.Tensors;

/// <summary>From a file's blocks to a panel's: codes stay as they are, only their places change. A file is laid out once,
/// so nothing here waits for the compiler's second thoughts.</summary>
internal static unsafe class PanelWriter
{
    /// <summary>The codes of group <paramref name="group"/> of 32 values of a block, in order and without sign.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static Vector256<byte> Codes(TensorType type, byte* block, int group) => type switch
    {
        TensorType.Q4_0 => Pairs(block + 2),
        TensorType.Q4_1 => Pairs(block + 4),
        TensorType.Q5_0 => Pairs(block + 6) | Fifth(block + 2),
        TensorType.Q5_1 => Pairs(block + 8) | Fifth(block + 4),
        TensorType.Q8_0 => Vector256.Load(block + 2) ^ Vector256.Create((byte)128),
        TensorType.Q4_K => Half(block + 16 + group / 2 * 32, group % 2),
        TensorType.Q5_K => Half(block + 48 + group / 2 * 32, group % 2) | (((Vector256.Load(block + 16) >> group) & Vector256.Create((byte)1)) << 4),
        TensorType.Q6_K => Half(block + group / 4 * 64 + group % 2 * 32, group % 4 / 2)
            | (((Vector256.Load(block + 128 + group / 4 * 32) >> (2 * (group % 4))) & Vector256.Create((byte)3)) << 4),
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "no quantized type"),
    };

    /// <summary>Puts 32 codes of output <paramref name="output"/> of 16 where <see cref="IPanelCodes"/> says.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Put(Vector256<byte> codes, int bits, byte* block, int output)
    {
        uint* target = (uint*)block + output;
        if (bits == 8)
        {
            for (int g = 0; g < 8; g++)
                target[16 * g] = codes.AsUInt32()[g];
            return;
        }

        Vector256<byte> low = codes & Vector256.Create((byte)15);
        Vector128<uint> pairs = (low.GetLower() | (low.GetUpper() << 4)).AsUInt32();
        for (int g = 0; g < 4; g++)
            target[16 * g] = pairs[g];
        Vector256<uint> upper = (codes >> 4).AsUInt32();
        if (bits == 5)
            target[64] = Merge(upper, Vector256.Create(0u, 1, 2, 3, 4, 5, 6, 7), out _);
        else if (bits == 6)
            (target[64], target[80]) = (Merge(upper, Vector256.Create(0u, 2, 4, 6, 0, 2, 4, 6), out uint second), second);
    }

    /// <summary>Puts the scales of a file's block into a record; false if one is no finite number, which then is 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static bool PutScales(TensorType type, byte* block, byte* record, int output)
    {
        switch (type)
        {
            case TensorType.Q4_1 or TensorType.Q5_1:
                return PutHalf(block, record, output) & PutHalf(block + 2, record + 32, output);
            case TensorType.Q4_K or TensorType.Q5_K:
                ReadOnlySpan<byte> packed = new(block + 4, KBlocks.PackedScales);
                for (int g = 0; g < 8; g++)
                {
                    (int scale, int minimum) = KBlocks.Unpack(packed, g);
                    record[64 + 32 * g + output] = (byte)scale;
                    record[80 + 32 * g + output] = (byte)minimum;
                }

                return PutHalf(block, record, output) & PutHalf(block + 2, record + 32, output);
            case TensorType.Q6_K:
                for (int g = 0; g < 16; g++)
                    record[32 + 16 * g + output] = block[192 + g];
                return PutHalf(block + 208, record, output);
            default:
                return PutHalf(block, record, output);
        }
    }

    // Vectors of 4 bytes, each shifted by its own count, in one: all eight, and of each four.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Merge(Vector256<uint> parts, Vector256<uint> counts, out uint second)
    {
        uint first = 0;
        second = 0;
        bool whole = counts[4] != 0;
        for (int g = 0; g < 8; g++)
        {
            uint part = parts[g] << (int)counts[g];
            if (whole || g < 4)
                first |= part;
            else
                second |= part;
        }

        return first;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool PutHalf(byte* from, byte* to, int output)
    {
        ushort bits = BinaryPrimitives.ReadUInt16LittleEndian(new ReadOnlySpan<byte>(from, 2));
        bool isFinite = (bits & 0x7C00) != 0x7C00;
        ((ushort*)to)[output] = isFinite ? bits : (ushort)0;
        return isFinite;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<byte> Pairs(byte* from)
    {
        Vector128<byte> pairs = Vector128.Load(from);
        return Vector256.Create(pairs & Vector128.Create((byte)15), pairs >> 4);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<byte> Half(byte* from, int upper)
    {
        Vector256<byte> pairs = Vector256.Load(from);
        return upper == 0 ? pairs & Vector256.Create((byte)15) : pairs >> 4;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<byte> Fifth(byte* from)
    {
        int bits = BinaryPrimitives.ReadInt32LittleEndian(new ReadOnlySpan<byte>(from, 4));
        return Vector256.Create(BlockMath.Spread(bits, 16), BlockMath.Spread(bits >> 16, 16));
    }
}
