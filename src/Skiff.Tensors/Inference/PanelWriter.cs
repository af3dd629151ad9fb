using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace Skiff.Tensors;

/// <summary>From a file's blocks to a panel's: codes stay as they are, only their places change. A file is laid out once,
/// so nothing here waits for the compiler's second thoughts.</summary>
internal static unsafe class PanelWriter
{
    /// <summary>The codes of group <paramref name="group"/> of 32 values of a block, in order and without sign.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
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

    /// <summary>
    /// Puts 32 codes of output <paramref name="output"/> of 16 into a row of <paramref name="staged"/>, of 32 bytes for 8 bits and of 16 for fewer;
    /// what goes beyond four bits goes where <see cref="IPanelCodes"/> says at once.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Stage(Vector256<byte> codes, int bits, byte* staged, byte* block, int output)
    {
        if (bits == 8)
        {
            codes.Store(staged + 32 * output);
            return;
        }

        Vector256<byte> low = codes & Vector256.Create((byte)15);
        (low.GetLower() | (low.GetUpper() << 4)).Store(staged + 16 * output);
        uint* upper = (uint*)(block + 256) + output;
        if (bits == 5)
        {
            Vector256<ulong> bit = (codes >> 4).AsUInt64();
            // Four bytes each of groups 0 and 1, 2 and 3, ...: group g goes to bit g.
            Vector256<ulong> pairs = bit | (bit >> 31);
            upper[0] = (uint)pairs[0] | (uint)pairs[1] << 2 | (uint)pairs[2] << 4 | (uint)pairs[3] << 6;
        }
        else if (bits == 6)
        {
            Vector256<ulong> two = (codes >> 4).AsUInt64();
            Vector256<ulong> pairs = two | (two >> 30);
            upper[0] = (uint)pairs[0] | (uint)pairs[1] << 4;
            upper[16] = (uint)pairs[2] | (uint)pairs[3] << 4;
        }
    }

    /// <summary>Puts what was staged of 16 outputs where <see cref="IPanelCodes"/> says: four bytes of each output side by side.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Put(byte* staged, int bits, byte* block)
    {
        int row = bits == 8 ? 32 : 16;
        for (int half = 0; half < row; half += 16)
        {
            for (int output = 0; output < 16; output += 4)
            {
                uint* rows = (uint*)(staged + row * output + half), target = (uint*)(block + 16 * half) + output;
                Vector128<uint> a = Vector128.Load(rows), b = Vector128.Load(rows + row / 4), c = Vector128.Load(rows + row / 2), d = Vector128.Load(rows + 3 * row / 4);
                Vector128<ulong> ab = Lower(a, b).AsUInt64(), cd = Lower(c, d).AsUInt64();
                Vector128.Create(ab.GetLower(), cd.GetLower()).AsUInt32().Store(target);
                Vector128.Create(ab.GetUpper(), cd.GetUpper()).AsUInt32().Store(target + 16);
                (ab, cd) = (Upper(a, b).AsUInt64(), Upper(c, d).AsUInt64());
                Vector128.Create(ab.GetLower(), cd.GetLower()).AsUInt32().Store(target + 32);
                Vector128.Create(ab.GetUpper(), cd.GetUpper()).AsUInt32().Store(target + 48);
            }
        }
    }

    /// <summary>Puts the scales of a file's block into a record; false if one is no finite number, which then is 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
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
                    byte* target = record + 64 + 24 * g;
                    target[output] = (byte)(scale | minimum << 6);
                    byte* upper = target + 16 + output % 8;
                    *upper = (byte)(output < 8 ? (*upper & 0xF0) | minimum >> 2 : (*upper & 15) | minimum >> 2 << 4);
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

    // a0 b0 a1 b1.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<uint> Lower(Vector128<uint> a, Vector128<uint> b) => Sse2.IsSupported ? Sse2.UnpackLow(a, b)
        : AdvSimd.Arm64.IsSupported ? AdvSimd.Arm64.ZipLow(a, b) : Vector128.Create(a[0], b[0], a[1], b[1]);

    // a2 b2 a3 b3.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<uint> Upper(Vector128<uint> a, Vector128<uint> b) => Sse2.IsSupported ? Sse2.UnpackHigh(a, b)
        : AdvSimd.Arm64.IsSupported ? AdvSimd.Arm64.ZipHigh(a, b) : Vector128.Create(a[2], b[2], a[3], b[3]);

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
