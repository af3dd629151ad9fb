namespace Skiff.Models;

/// <summary>The value types of GGUF metadata with their numbers. Source: docs/gguf.md of ggml-org/ggml.</summary>
internal enum GgufValueType : uint
{
    U8 = 0,
    I8 = 1,
    U16 = 2,
    I16 = 3,
    U32 = 4,
    I32 = 5,
    F32 = 6,
    Bool = 7,
    Text = 8,
    List = 9,
    U64 = 10,
    I64 = 11,
    F64 = 12,
}

/// <summary>Between GGUF's value types and the runtime's.</summary>
internal static class GgufValueTypes
{
    /// <summary>Arrays in arrays in ...: nothing published goes beyond 1.</summary>
    public const int DeepestArray = 4;

    /// <summary>The fewest bytes one value takes in a file: strings and arrays at least their length; 0 for an unknown type.</summary>
    public static int LeastBytes(this GgufValueType type) => type switch
    {
        GgufValueType.U8 or GgufValueType.I8 or GgufValueType.Bool => 1,
        GgufValueType.U16 or GgufValueType.I16 => 2,
        GgufValueType.U32 or GgufValueType.I32 or GgufValueType.F32 => 4,
        GgufValueType.U64 or GgufValueType.I64 or GgufValueType.F64 or GgufValueType.Text => 8,
        GgufValueType.List => 12,
        _ => 0,
    };

    /// <summary>True if the format can hold the value with all that is in it.</summary>
    public static bool Holds(object? value, int depth = 0) => value switch
    {
        null => false,
        string[] texts => Array.TrueForAll(texts, text => text is not null),
        Array[] lists => depth < DeepestArray - 1 && Array.TrueForAll(lists, list => Holds(list, depth + 1)),
        _ => Of(value.GetType()) is not null,
    };

    /// <summary>The type a runtime value is stored as; null for one the format cannot hold.</summary>
    public static GgufValueType? Of(Type type) =>
        type == typeof(byte) ? GgufValueType.U8
        : type == typeof(sbyte) ? GgufValueType.I8
        : type == typeof(ushort) ? GgufValueType.U16
        : type == typeof(short) ? GgufValueType.I16
        : type == typeof(uint) ? GgufValueType.U32
        : type == typeof(int) ? GgufValueType.I32
        : type == typeof(float) ? GgufValueType.F32
        : type == typeof(bool) ? GgufValueType.Bool
        : type == typeof(string) ? GgufValueType.Text
        : type == typeof(ulong) ? GgufValueType.U64
        : type == typeof(long) ? GgufValueType.I64
        : type == typeof(double) ? GgufValueType.F64
        : type == typeof(Array[]) || (type.IsSZArray && Of(type.GetElementType()!) is not null and not GgufValueType.List) ? GgufValueType.List
        : null;
}
