using System.Text.Json;
using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>The dtype names of safetensors.</summary>
internal static class SafetensorsTypes
{
    private static readonly (string Name, TensorType Type)[] Known =
    [
        ("F64", TensorType.F64), ("F32", TensorType.F32), ("F16", TensorType.F16), ("BF16", TensorType.BF16), ("I64", TensorType.I64),
        ("I32", TensorType.I32), ("I16", TensorType.I16), ("I8", TensorType.I8), ("U8", TensorType.U8), ("BOOL", TensorType.Bool),
    ];

    /// <summary>The names that can be read and written, for messages.</summary>
    public static string Names { get; } = string.Join(", ", Known.Select(k => k.Name));

    /// <summary>The known name that the cursor's string equals; null if it is another or no string.</summary>
    public static string? Find(in JsonCursor json)
    {
        if (json.Kind != JsonTokenType.String)
            return null;
        foreach ((string known, _) in Known)
            if (json.Is(known))
                return known;
        return null;
    }

    /// <summary>The type of a dtype name.</summary>
    public static bool TryParse(string name, out TensorType type)
    {
        foreach ((string known, TensorType value) in Known)
        {
            if (known == name)
            {
                type = value;
                return true;
            }
        }

        type = default;
        return false;
    }

    /// <summary>The dtype name of a type; null where the format has none.</summary>
    public static string? NameOf(TensorType type) => Known.FirstOrDefault(k => k.Type == type).Name;
}
