using System.Text.Json;
using System.Text.Json.Serialization;
using Skiff.Tensors;

namespace Skiff.Training;

/// <summary>Where a <see cref="DataLoader"/> stands: all it takes to go on exactly there.</summary>
/// <param name="Tokens">Tokens handed out.</param>
/// <param name="StageFrom">Where the stage begins in which <see cref="SourcePosition.Rows"/> were counted.</param>
/// <param name="Seed">The seed.</param>
/// <param name="Split">The side of the held-out split.</param>
/// <param name="HeldOutShare">The share of documents held out.</param>
/// <param name="PieceLength">Most tokens shuffled as one.</param>
/// <param name="Sources">Every source by name.</param>
public sealed record DataPosition(
    long Tokens, long StageFrom, long Seed, DataSplit Split, double HeldOutShare, int PieceLength, IReadOnlyDictionary<string, SourcePosition> Sources)
{
    private static readonly JsonSerializerOptions s_options = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        RespectRequiredConstructorParameters = true,
        RespectNullableAnnotations = true,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower, allowIntegerValues: false) },
    };

    /// <summary>The position as a line of JSON.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, s_options);

    /// <summary>Reads what <see cref="ToJson"/> wrote.</summary>
    /// <exception cref="InvalidInputException">It is something else.</exception>
    public static DataPosition Parse(string json, string source)
    {
        try
        {
            return JsonSerializer.Deserialize<DataPosition>(json, s_options) ?? throw new JsonException("is null");
        }
        catch (JsonException e)
        {
            throw new InvalidInputException(source, "data position", $"cannot be read: {e.Message}", e);
        }
    }
}
