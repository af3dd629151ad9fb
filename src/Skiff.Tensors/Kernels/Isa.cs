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

/// <summary>Which <see cref="Isa"/> this process uses: the widest the processor has, or <c>SKIFF_ISA</c>, or what was chosen before anything was computed.</summary>
internal static class IsaChoice
{
    private static readonly Lazy<Isa> s_current = new(() => s_chosen ?? From(Environment.GetEnvironmentVariable("SKIFF_ISA")));
    private static Isa? s_chosen;

    /// <summary>The names of all, narrowest first.</summary>
    public static IReadOnlyList<string> Names { get; } = ["portable", "avx2", "avx512"];

    /// <summary>The choice.</summary>
    /// <exception cref="InvalidInputException"><c>SKIFF_ISA</c> names no path, or one that this processor lacks.</exception>
    public static Isa Current => s_current.Value;

    /// <summary>Chooses for the whole process, whatever <c>SKIFF_ISA</c> says.</summary>
    /// <exception cref="InvalidInputException">The name is none, or this processor lacks it.</exception>
    /// <exception cref="InvalidOperationException">Kernels already use another.</exception>
    public static void Choose(string name, string source)
    {
        Isa isa = From(name, source);
        s_chosen = isa;
        if (Current != isa)
            throw new InvalidOperationException($"kernels of this process already use {NameOf(Current)}, not {name}");
    }

    /// <summary>The name of a path.</summary>
    public static string NameOf(Isa isa) => Names[(int)isa];

    /// <summary>Whether this processor can run a path.</summary>
    public static bool Supports(Isa isa) => isa switch
    {
        Isa.Avx512 => Avx512F.IsSupported && Vector512.IsHardwareAccelerated,
        Isa.Avx2 => Avx2.IsSupported && Fma.IsSupported,
        _ => true,
    };

    internal static Isa From(string? setting, string source = "SKIFF_ISA")
    {
        if (string.IsNullOrEmpty(setting))
            return Supports(Isa.Avx512) ? Isa.Avx512 : Supports(Isa.Avx2) ? Isa.Avx2 : Isa.Portable;
        int place = Names.ToList().IndexOf(setting);
        if (place < 0)
            throw new InvalidInputException(source, "value", $"'{setting}' is none of {string.Join(", ", Names)}");
        return Supports((Isa)place) ? (Isa)place : throw new InvalidInputException(source, "value", $"this processor has no {setting}: leave {source} out");
    }
}
