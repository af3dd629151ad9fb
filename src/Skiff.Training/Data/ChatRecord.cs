using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text.Json;
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Training;

/// <summary>
/// One conversation of a JSON lines file: <c>messages</c> with <c>role</c> and <c>content</c>, <c>tools</c>, and whatever
/// else its line has, which the template sees by its name.
/// </summary>
internal sealed class ChatRecord
{
    /// <summary>Who writes what the loss asks for.</summary>
    public const string Assistant = "assistant";

    private readonly string _source;
    private readonly long _line;

    private ChatRecord(string source, long line)
    {
        _source = source;
        _line = line;
    }

    /// <summary>The messages in order; at least one is the assistant's.</summary>
    public IReadOnlyList<ChatMessage> Messages { get; private set; } = [];

    /// <summary>The tools offered, or null.</summary>
    public IReadOnlyList<object?>? Tools { get; private set; }

    /// <summary>The other fields.</summary>
    public IReadOnlyDictionary<string, object?> Extra { get; private set; } = new Dictionary<string, object?>();

    /// <summary>The upper 32 bits of the messages' SHA-256, as JSON without white space: templates do not change it.</summary>
    public uint Hash { get; private set; }

    /// <summary>Reads a line.</summary>
    /// <exception cref="InvalidInputException">It is no conversation with a turn of the assistant; file and line are named.</exception>
    public static ChatRecord Parse(ReadOnlySpan<byte> json, string source, long line)
    {
        ChatRecord record = new(source, line);
        try
        {
            record.Read(JsonElement.Parse(json));
            return record;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw record.Refuse($"no valid JSON: {e.Message}", e);
        }
    }

    /// <summary>A refusal of this conversation.</summary>
    public InvalidInputException Refuse(string problem, Exception? inner = null) => new(_source, $"line {_line}", problem, inner);

    private void Read(JsonElement root)
    {
        if (root.ValueKind != JsonValueKind.Object)
            throw Refuse("not a JSON object");
        if (!root.TryGetProperty("messages", out JsonElement messages) || messages.ValueKind != JsonValueKind.Array)
            throw Refuse("has no list \"messages\" of objects with \"role\" and \"content\"");
        Messages = [.. messages.EnumerateArray().Select(Message)];
        if (!Messages.Any(IsAssistant))
            throw Refuse("has no message with the role \"assistant\", so there is nothing to learn from it: leave it out");
        Dictionary<string, object?> extra = [];
        foreach (JsonProperty field in root.EnumerateObject())
        {
            if (field.NameEquals("messages"))
                continue;
            if (field.NameEquals("tools"))
                Tools = ReadTools(field.Value);
            else if (field.NameEquals("add_generation_prompt") || ChatTemplate.IsToken(field.Name))
                throw Refuse($"the field \"{field.Name}\" would take the place of what the template needs: rename it");
            else
                extra[field.Name] = field.Value;
        }

        Extra = extra;
        byte[] hash = SHA256.HashData(JsonSerializer.SerializeToUtf8Bytes(messages));
        Hash = BinaryPrimitives.ReadUInt32BigEndian(hash);
    }

    /// <summary>Whether a message is the assistant's.</summary>
    public static bool IsAssistant(ChatMessage message) => message.Fields["role"] is Assistant;

    private ChatMessage Message(JsonElement message, int index)
    {
        if (message.ValueKind != JsonValueKind.Object || !message.TryGetProperty("role", out JsonElement role) || role.ValueKind != JsonValueKind.String)
            throw Refuse($"messages[{index}] is no object with a \"role\"");
        OrderedDictionary<string, object?> fields = [];
        foreach (JsonProperty field in message.EnumerateObject())
        {
            if (field.NameEquals("content") && field.Value.ValueKind is not (JsonValueKind.String or JsonValueKind.Null or JsonValueKind.Array))
                throw Refuse($"messages[{index}].content is neither a text nor null nor a list of parts");
            fields[field.Name] = field.Value.ValueKind switch
            {
                JsonValueKind.String => field.Value.GetString(),
                JsonValueKind.Null => null,
                _ => field.Value,
            };
        }

        return new ChatMessage(fields);
    }

    private object?[]? ReadTools(JsonElement tools) => tools.ValueKind switch
    {
        JsonValueKind.Null => null,
        JsonValueKind.Array => [.. tools.EnumerateArray().Select(tool => (object?)tool)],
        _ => throw Refuse("\"tools\" is no list"),
    };
}
