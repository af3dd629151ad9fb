using System.Text.Json;
using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>
/// The index of a sharded model: JSON with a <c>weight_map</c> from tensor names to shard files of the same folder.
/// </summary>
internal static class SafetensorsIndex
{
    /// <summary>The index's file name in a model folder.</summary>
    public const string FileName = "model.safetensors.index.json";

    // Objects of many tiny entries outgrow the text they are read from; models have under 10,000 tensors.
    private const int MostTensors = 1 << 18;

    /// <summary>Parses an index: tensor name to shard file name.</summary>
    /// <exception cref="InvalidInputException">The index is not valid, or a shard is not a plain file name.</exception>
    public static Dictionary<string, string> Parse(ReadOnlySpan<byte> json, string source)
    {
        Dictionary<string, string>? map = null;
        JsonCursor cursor = new(json, source, "index");
        cursor.Expect(JsonTokenType.StartObject, "index", "a JSON object");
        while (cursor.NextKey())
        {
            if (!cursor.Is("weight_map"))
            {
                cursor.Skip();
                continue;
            }

            if (map is not null)
                throw new InvalidInputException(source, "weight_map", "given twice");
            map = ReadMap(ref cursor, source);
        }

        cursor.End();
        return map ?? throw new InvalidInputException(source, "weight_map", "is missing");
    }

    private static Dictionary<string, string> ReadMap(ref JsonCursor cursor, string source)
    {
        Dictionary<string, string> map = [];
        // Thousands of tensors name the same few shards: one string each is enough.
        Dictionary<string, string> shards = [];
        cursor.Expect(JsonTokenType.StartObject, "weight_map", "an object of file names");
        while (cursor.NextKey(out string name))
        {
            string shard = cursor.String($"weight_map.{name}");
            if (!shards.TryGetValue(shard, out string? known))
            {
                CheckPlain(source, $"weight_map.{name}", shard);
                shards.Add(shard, known = shard);
            }

            if (!map.TryAdd(name, known))
                throw new InvalidInputException(source, $"weight_map.{name}", "named twice");
            if (map.Count > MostTensors)
                throw new InvalidInputException(source, "weight_map", $"names more than {MostTensors} tensors");
        }

        return map;
    }

    // A hostile index must not reach outside its folder: both systems' separators and drive colons are refused.
    private static void CheckPlain(string source, string field, string shard)
    {
        if (shard.Length is 0 or > 255 || shard is "." or ".." || shard.AsSpan().ContainsAny("/\\:\0"))
            throw new InvalidInputException(source, field, $"shard '{shard}' must be a plain file name in the same folder");
    }
}
