using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Skiff.Tensors;

/// <summary>
/// How a panel keeps the codes of 16 outputs and 32 inputs: group g of 8 is a vector of 64 bytes, byte 4 o + j the code of
/// output o and input 4 g + j, without sign. A group must be a constant, so that its shifts are.
/// </summary>
internal unsafe interface IPanelCodes
{
    /// <summary>Bits of a code.</summary>
    static abstract int Bits { get; }

    /// <summary>Group <paramref name="g"/> of the block.</summary>
    static abstract Vector512<byte> Group(byte* block, int g);
}

/// <summary>Four bits: groups 0 to 3 in the lower, 4 to 7 in the upper halves of 256 bytes.</summary>
internal readonly unsafe struct FourBits : IPanelCodes
{
    public static int Bits => 4;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<byte> Group(byte* block, int g) =>
        g < 4 ? Vector512.Load(block + 64 * g) & Vector512.Create((byte)15) : Vector512.Load(block + 64 * (g - 4)) >> 4;
}

/// <summary>Five bits: as four, then 64 bytes whose bit g is the fifth bit of group g.</summary>
internal readonly unsafe struct FiveBits : IPanelCodes
{
    public static int Bits => 5;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<byte> Group(byte* block, int g)
    {
        // Shifts of 16 bits do: what crosses a byte's border is cut off.
        Vector512<ushort> fifth = Vector512.Load(block + 256).AsUInt16();
        fifth = g < 4 ? fifth << (4 - g) : fifth >> (g - 4);
        return FourBits.Group(block, g) | (fifth.AsByte() & Vector512.Create((byte)16));
    }
}

/// <summary>Six bits: as four, then 128 bytes with the upper two bits of groups 0 to 3 and of groups 4 to 7.</summary>
internal readonly unsafe struct SixBits : IPanelCodes
{
    public static int Bits => 6;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<byte> Group(byte* block, int g)
    {
        Vector512<ushort> upper = Vector512.Load(block + 256 + 64 * (g / 4)).AsUInt16();
        upper = g % 4 < 2 ? upper << (4 - 2 * (g % 4)) : upper >> (2 * (g % 4) - 4);
        return FourBits.Group(block, g) | (upper.AsByte() & Vector512.Create((byte)48));
    }
}

/// <summary>Eight bits as they are.</summary>
internal readonly unsafe struct EightBits : IPanelCodes
{
    public static int Bits => 8;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<byte> Group(byte* block, int g) => Vector512.Load(block + 64 * g);
}
