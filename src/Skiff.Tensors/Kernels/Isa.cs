using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Skiff.Tensors;

/// <summary>The instruction sets that kernels have code for, widest last.</summary>
internal enum Isa
{
    /// <summary><see cref="System.Numerics.Vector{T}"/>: whatever the processor has.</summary>
    Portable,

    /// <summary>256-bit vectors with fused multiply-add.</summary>
    Avx2,

    /// <summary>512-bit vectors.</summary>
    Avx512,
}

/// <summary>Which <see cref="Isa"/> this process uses: the widest the processor has, or <c>SKIFF_ISA</c>.</summary>
internal static class IsaChoice
{
    private static readonly Lazy<Isa> s_current = new(() => From(Environment.GetEnvironmentVariable("SKIFF_ISA")));

    /// <summary>The choice.</summary>
    /// <exception cref="InvalidInputException"><c>SKIFF_ISA</c> names no path, or one that this processor lacks.</exception>
    public static Isa Current => s_current.Value;

    /// <summary>Whether this processor can run a path.</summary>
    public static bool Supports(Isa isa) => isa switch
    {
        Isa.Avx512 => Avx512F.IsSupported && Vector512.IsHardwareAccelerated,
        Isa.Avx2 => Avx2.IsSupported && Fma.IsSupported,
        _ => true,
    };

    internal static Isa From(string? setting)
    {
        if (string.IsNullOrEmpty(setting))
            return Supports(Isa.Avx512) ? Isa.Avx512 : Supports(Isa.Avx2) ? Isa.Avx2 : Isa.Portable;
        Isa isa = setting switch
        {
            "portable" => Isa.Portable,
            "avx2" => Isa.Avx2,
            "avx512" => Isa.Avx512,
            _ => throw new InvalidInputException("SKIFF_ISA", "value", $"'{setting}' is none of portable, avx2, avx512"),
        };
        return Supports(isa) ? isa : throw new InvalidInputException("SKIFF_ISA", "value", $"this processor has no {setting}: leave SKIFF_ISA unset");
    }
}
