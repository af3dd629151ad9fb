using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Skiff.Tensors;

/// <summary>
/// How a panel keeps what turns the sums of a block of 32 into values, for 16 outputs side by side. With D1 and D2 the sums of code times
/// activation over inputs 0 to 15 and 16 to 31, S1 and S2 those of the activations: value = Scale (First D1 + Second D2 - Correction of
/// S1 and S2) + Minimum (S1 + S2). Whole numbers lie twice in 32 bits, for products of pairs of 16 bits.
/// </summary>
internal unsafe interface IPanelScales
{
    /// <summary>Blocks of 32 inputs that one record covers, a power of two.</summary>
    static abstract int Blocks { get; }

    /// <summary>Bytes of a record.</summary>
    static abstract int Bytes { get; }

    /// <summary>Whether there is a minimum.</summary>
    static abstract bool HasMinimum { get; }

    /// <summary>Whether the halves of a block have whole-number scales of their own, and with them a correction for the codes' offset.</summary>
    static abstract bool HasHalves { get; }

    /// <summary>What the scales of all blocks of a record have in common.</summary>
    static abstract Vector512<float> Factor(byte* record);

    /// <summary>The same of the minima.</summary>
    static abstract Vector512<float> MinimumFactor(byte* record);

    static abstract Vector512<float> Scale(byte* record, int block, Vector512<float> factor);

    static abstract Vector512<float> Minimum(byte* record, int block, Vector512<float> factor);

    static abstract Vector512<short> First(byte* record, int block);

    static abstract Vector512<short> Second(byte* record, int block);

    static abstract Vector512<short> Correction(byte* record, int block);
}

/// <summary>Q8_0: a half-precision scale; the codes' offset of 128 is the kernels' matter.</summary>
internal readonly unsafe struct PlainScales : IPanelScales
{
    public static int Blocks => 1;

    public static int Bytes => 32;

    public static bool HasMinimum => false;

    public static bool HasHalves => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Factor(byte* record) => Sixteen.Halves(record);

    public static Vector512<float> Scale(byte* record, int block, Vector512<float> factor) => factor;

    public static Vector512<float> MinimumFactor(byte* record) => default;

    public static Vector512<float> Minimum(byte* record, int block, Vector512<float> factor) => default;

    public static Vector512<short> First(byte* record, int block) => default;

    public static Vector512<short> Second(byte* record, int block) => default;

    public static Vector512<short> Correction(byte* record, int block) => default;
}

/// <summary>Q4_0 and Q5_0: a half-precision scale; <typeparamref name="TOffset"/> is what is taken from each code, which makes a minimum.</summary>
internal readonly unsafe struct OffsetScales<TOffset> : IPanelScales
    where TOffset : struct, IRowCount
{
    public static int Blocks => 1;

    public static int Bytes => 32;

    public static bool HasMinimum => true;

    public static bool HasHalves => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Factor(byte* record) => Sixteen.Halves(record);

    public static Vector512<float> Scale(byte* record, int block, Vector512<float> factor) => factor;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> MinimumFactor(byte* record) => Sixteen.Halves(record) * Vector512.Create(-(float)TOffset.Value);

    public static Vector512<float> Minimum(byte* record, int block, Vector512<float> factor) => factor;

    public static Vector512<short> First(byte* record, int block) => default;

    public static Vector512<short> Second(byte* record, int block) => default;

    public static Vector512<short> Correction(byte* record, int block) => default;
}

/// <summary>Q4_1 and Q5_1: half-precision scale and minimum.</summary>
internal readonly unsafe struct MinimumScales : IPanelScales
{
    public static int Blocks => 1;

    public static int Bytes => 64;

    public static bool HasMinimum => true;

    public static bool HasHalves => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Factor(byte* record) => Sixteen.Halves(record);

    public static Vector512<float> Scale(byte* record, int block, Vector512<float> factor) => factor;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> MinimumFactor(byte* record) => Sixteen.Halves(record + 32);

    public static Vector512<float> Minimum(byte* record, int block, Vector512<float> factor) => factor;

    public static Vector512<short> First(byte* record, int block) => default;

    public static Vector512<short> Second(byte* record, int block) => default;

    public static Vector512<short> Correction(byte* record, int block) => default;
}

/// <summary>
/// Q4_K and Q5_K: half-precision scales d and e, then for each of eight blocks 16 bytes with its scales and 16 with its minima. The file packs
/// these into 6 bits; a byte each makes a panel 3% larger and takes a third of the steps.
/// </summary>
internal readonly unsafe struct SuperScales : IPanelScales
{
    public static int Blocks => 8;

    public static int Bytes => 320;

    public static bool HasMinimum => true;

    public static bool HasHalves => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Factor(byte* record) => Sixteen.Halves(record);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> MinimumFactor(byte* record) => -Sixteen.Halves(record + 32);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Scale(byte* record, int block, Vector512<float> factor) =>
        Vector512.ConvertToSingle(Sixteen.Widen(Vector128.Load(record + 64 + 32 * block))) * factor;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Minimum(byte* record, int block, Vector512<float> factor) =>
        Vector512.ConvertToSingle(Sixteen.Widen(Vector128.Load(record + 80 + 32 * block))) * factor;

    public static Vector512<short> First(byte* record, int block) => default;

    public static Vector512<short> Second(byte* record, int block) => default;

    public static Vector512<short> Correction(byte* record, int block) => default;
}

/// <summary>Q6_K: a half-precision scale, then for each of eight blocks the signed scales of its first and of its second 16 inputs.</summary>
internal readonly unsafe struct SixteenthScales : IPanelScales
{
    private const int Offset = 5;

    public static int Blocks => 8;

    public static int Bytes => 288;

    public static bool HasMinimum => false;

    public static bool HasHalves => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Factor(byte* record) => Sixteen.Halves(record);

    public static Vector512<float> Scale(byte* record, int block, Vector512<float> factor) => factor;

    public static Vector512<float> MinimumFactor(byte* record) => default;

    public static Vector512<float> Minimum(byte* record, int block, Vector512<float> factor) => default;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<short> First(byte* record, int block) => Twice(record + 32 + 32 * block);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<short> Second(byte* record, int block) => Twice(record + 48 + 32 * block);

    // 32 times the first scale in the lower, 32 times the second in the upper 16 bits.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<short> Correction(byte* record, int block)
    {
        Vector512<int> low = First(record, block).AsInt32() & Vector512.Create(0xFFFF), high = Second(record, block).AsInt32() << 16;
        return (low | high).AsInt16() << Offset;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<short> Twice(byte* from)
    {
        Vector512<int> scale = Sixteen.Widen(Vector128.Load((sbyte*)from));
        return ((scale & Vector512.Create(0xFFFF)) | (scale << 16)).AsInt16();
    }
}

internal readonly struct OffsetEight : IRowCount
{
    public static int Value => 8;
}

internal readonly struct OffsetSixteen : IRowCount
{
    public static int Value => 16;
}

/// <summary>Sixteen small numbers to 32 bits each.</summary>
internal static unsafe class Sixteen
{
    /// <summary>Finite half-precision numbers: their bits under a single's exponent, times what the exponents' biases differ by.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Halves(byte* from)
    {
        Vector512<int> bits = (Widen(Vector256.Load((short*)from)) << 13) & Vector512.Create(unchecked((int)0x8FFFE000));
        return bits.AsSingle() * Vector512.Create(5.192296858534828e33f);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> BFloats(byte* from) => (Widen(Vector256.Load((short*)from)) << 16).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> Widen(Vector256<short> values) => Avx512F.IsSupported
        ? Avx512F.ConvertToVector512Int32(values)
        : Vector512.Create(Vector256.WidenLower(values), Vector256.WidenUpper(values));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> Widen(Vector128<byte> values) => Avx512F.IsSupported
        ? Avx512F.ConvertToVector512Int32(values)
        : Widen(Vector256.Create(Vector128.WidenLower(values), Vector128.WidenUpper(values)).AsInt16());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> Widen(Vector128<sbyte> values) => Avx512F.IsSupported
        ? Avx512F.ConvertToVector512Int32(values)
        : Widen(Vector256.Create(Vector128.WidenLower(values), Vector128.WidenUpper(values)));
}
