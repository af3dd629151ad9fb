using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>One message of a conversation, as a chat template sees it: named fields in order.</summary>
public sealed class ChatMessage
{
    /// <summary>A message of text.</summary>
    /// <param name="role">Who speaks: system, user, assistant or tool.</param>
    /// <param name="content">What is said: a text, or a list of parts for templates that take these.</param>
    public ChatMessage(string role, object? content)
        : this(new OrderedDictionary<string, object?> { ["role"] = role, ["content"] = content })
    {
    }

    /// <summary>A message with any fields, such as <c>tool_calls</c> or <c>name</c>; a field left out is undefined in the template.</summary>
    /// <param name="fields">The fields by name; <c>role</c> must be among them.</param>
    /// <exception cref="InvalidInputException">There is no role.</exception>
    public ChatMessage(IReadOnlyDictionary<string, object?> fields)
    {
        ArgumentNullException.ThrowIfNull(fields);
        if (!fields.ContainsKey("role"))
            throw new InvalidInputException("message", "role", "is missing: say system, user, assistant or tool");
        Fields = fields;
    }

    /// <summary>The fields by name, in order.</summary>
    public IReadOnlyDictionary<string, object?> Fields { get; }
}
