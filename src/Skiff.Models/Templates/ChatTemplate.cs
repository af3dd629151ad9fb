using System.Text.Json;
using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>A model's chat template: turns a conversation into the text the model was trained on, as Hugging Face's apply_chat_template does.</summary>
public sealed class ChatTemplate
{
    /// <summary>
    /// The ChatML form, with the assistant's parts marked: for a tokenizer without a template of its own, where it is asked
    /// for. Tool calls and contents other than text have no form in it.
    /// </summary>
    public const string ChatMl =
        "{% for message in messages %}"
        + "{% if message.tool_calls or (message.content is not string and message.content is not none) %}"
        + "{{ raise_exception('ChatML writes texts only, no tool calls and no parts') }}{% endif %}"
        + "{{ '<|im_start|>' + message.role + '\n' }}"
        + "{% if message.role == 'assistant' %}{% generation %}{{ (message.content or '') + '<|im_end|>' }}{% endgeneration %}"
        + "{% else %}{{ (message.content or '') + '<|im_end|>' }}{% endif %}{{ '\n' }}{% endfor %}"
        + "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";

    private static readonly string[] TokenNames = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];
    private readonly JinjaTemplate _template;
    private readonly string _source;
    private readonly Dictionary<string, object?> _tokens;

    private ChatTemplate(string source, string name, Dictionary<string, object?> tokens, JinjaOptions? options)
    {
        _template = JinjaTemplate.Parse(source, name, (options ?? JinjaOptions.Chat) with { TrimBlocks = true, LstripBlocks = true, ChatMode = true });
        _source = source;
        _tokens = tokens;
    }

    /// <summary>Whether the template marks the assistant's parts (<c>{% generation %}</c>), for <see cref="ApplyWithSpans"/>.</summary>
    public bool HasGenerations => _template.HasGenerations;

    /// <summary>All that decides what the template renders: its text and the special tokens it sees.</summary>
    internal string Identity => $"{_source}\n{string.Join('\n', _tokens.OrderBy(token => token.Key, StringComparer.Ordinal).Select(token => $"{token.Key} {token.Value}"))}";

    /// <summary>Reads a chat template.</summary>
    /// <param name="source">The template's text.</param>
    /// <param name="name">What errors call it.</param>
    /// <param name="bosToken">The text of the token that begins a sequence; undefined in the template when null.</param>
    /// <param name="eosToken">The text of the token that ends one; undefined in the template when null.</param>
    /// <param name="options">Limits and clock; white space and functions are those of chat templates in any case.</param>
    /// <exception cref="InvalidInputException">The text is no template.</exception>
    public static ChatTemplate Parse(string source, string name = "chat_template", string? bosToken = null, string? eosToken = null, JinjaOptions? options = null)
    {
        Dictionary<string, object?> tokens = [];
        if (bosToken is not null)
            tokens["bos_token"] = bosToken;
        if (eosToken is not null)
            tokens["eos_token"] = eosToken;
        return new(source, name, tokens, options);
    }

    /// <summary>The template of a tokenizer with its special tokens; null where it has none.</summary>
    /// <param name="tokenizer">The tokenizer.</param>
    /// <param name="source">The text of a template to use instead of the tokenizer's own.</param>
    /// <param name="options">As for <see cref="Parse"/>.</param>
    /// <exception cref="InvalidInputException">The text is no template.</exception>
    public static ChatTemplate? Of(Tokenizer tokenizer, string? source = null, JinjaOptions? options = null)
    {
        TokenizerSpec spec = tokenizer.Spec;
        if ((source ?? spec.ChatTemplate) is not string text)
            return null;
        Dictionary<string, object?> tokens = spec.Config is JsonElement config ? Tokens(config, spec.Source) : [];
        foreach ((string name, string? token) in new[] { ("bos_token", spec.BosToken), ("eos_token", spec.EosToken), ("unk_token", spec.UnknownToken), ("pad_token", spec.PadToken) })
        {
            if (token is not null)
                tokens[name] = token;
        }

        return new(text, source is null ? $"{spec.Source}: chat_template" : "chat template", tokens, options);
    }

    /// <summary>Whether a name is that of a special token in templates, such as <c>bos_token</c>.</summary>
    internal static bool IsToken(string name) => TokenNames.Contains(name);

    /// <summary>Reads the template and the special tokens of a <c>tokenizer_config.json</c>; null where it has no template.</summary>
    /// <param name="config">The file's root object; its chat_template is a text, or a list of objects with name and template.</param>
    /// <param name="name">What errors call the file.</param>
    /// <param name="variant">Which template of a list; by default the one named default.</param>
    /// <param name="options">As for <see cref="Parse"/>.</param>
    /// <exception cref="InvalidInputException">The field has another form, or the variant is not there.</exception>
    public static ChatTemplate? FromTokenizerConfig(JsonElement config, string name = "tokenizer_config.json", string? variant = null, JinjaOptions? options = null)
    {
        if (config.ValueKind != JsonValueKind.Object)
            throw new InvalidInputException(name, "$", "is no JSON object");
        if (!config.TryGetProperty("chat_template", out JsonElement field) || field.ValueKind == JsonValueKind.Null)
            return null;
        string source = field.ValueKind switch
        {
            JsonValueKind.String when variant is null => Text(field, name),
            JsonValueKind.String => throw new InvalidInputException(name, "chat_template", $"is one template, there is no variant '{variant}'"),
            JsonValueKind.Array => Variant(field, name, variant ?? "default"),
            _ => throw new InvalidInputException(name, "chat_template", "is neither a text nor a list of templates"),
        };
        return new(source, $"{name}: chat_template", Tokens(config, name), options);
    }

    /// <summary>The text of a conversation.</summary>
    /// <param name="messages">The messages in order.</param>
    /// <param name="addGenerationPrompt">Whether the text ends with what begins the assistant's answer.</param>
    /// <param name="tools">The tools offered to the model, each a JSON schema of a function; None in the template when null.</param>
    /// <param name="extra">Further variables, such as enable_thinking or documents; they win over the others.</param>
    /// <exception cref="InvalidInputException">The template refuses the conversation or goes over a limit.</exception>
    public string Apply(
        IReadOnlyList<ChatMessage> messages, bool addGenerationPrompt, IReadOnlyList<object?>? tools = null, IReadOnlyDictionary<string, object?>? extra = null) =>
        _template.Render(Variables(messages, addGenerationPrompt, tools, extra));

    /// <summary>The text of a conversation and the parts of it that the template marks as the assistant's.</summary>
    /// <param name="messages">As for <see cref="Apply"/>.</param>
    /// <param name="tools">As for <see cref="Apply"/>.</param>
    /// <param name="extra">As for <see cref="Apply"/>.</param>
    /// <exception cref="InvalidInputException">As for <see cref="Apply"/>.</exception>
    public JinjaRendering ApplyWithSpans(
        IReadOnlyList<ChatMessage> messages, IReadOnlyList<object?>? tools = null, IReadOnlyDictionary<string, object?>? extra = null) =>
        _template.RenderWithSpans(Variables(messages, addGenerationPrompt: false, tools, extra));

    /// <summary>The text of a conversation that stops inside its last message, for a model to go on writing it.</summary>
    /// <param name="messages">As for <see cref="Apply"/>; the content of the last one is a text.</param>
    /// <param name="tools">As for <see cref="Apply"/>.</param>
    /// <param name="extra">As for <see cref="Apply"/>.</param>
    /// <exception cref="InvalidInputException">As for <see cref="Apply"/>; also when the template changes the last message's text.</exception>
    public string ApplyToContinue(
        IReadOnlyList<ChatMessage> messages, IReadOnlyList<object?>? tools = null, IReadOnlyDictionary<string, object?>? extra = null)
    {
        string text = Apply(messages, addGenerationPrompt: false, tools, extra);
        if (messages.Count == 0 || messages[^1].Fields.GetValueOrDefault("content") is not string last)
            throw new InvalidInputException("messages", "content", "of the last message is no text to continue");
        int at = text.LastIndexOf(last.Trim(), StringComparison.Ordinal);
        if (at < 0)
            throw new InvalidInputException("messages", "content", "of the last message does not appear in the text: the template changes it");
        // White space at the end stays where the template kept it.
        string kept = last.TrimStart();
        return string.CompareOrdinal(text, at, kept, 0, kept.Length) == 0 ? text[..(at + kept.Length)] : text[..(at + last.Trim().Length)];
    }

    private Dictionary<string, object?> Variables(
        IReadOnlyList<ChatMessage> messages, bool addGenerationPrompt, IReadOnlyList<object?>? tools, IReadOnlyDictionary<string, object?>? extra)
    {
        ArgumentNullException.ThrowIfNull(messages);
        Dictionary<string, object?> variables = new(_tokens)
        {
            ["messages"] = messages,
            ["tools"] = tools,
            ["documents"] = null,
            ["add_generation_prompt"] = addGenerationPrompt,
        };
        foreach ((string name, object? value) in extra ?? new Dictionary<string, object?>())
            variables[name] = value;
        return variables;
    }

    private static Dictionary<string, object?> Tokens(JsonElement config, string name)
    {
        Dictionary<string, object?> tokens = [];
        foreach (string token in TokenNames)
        {
            // A token is written as its text or as an object with its content.
            if (!config.TryGetProperty(token, out JsonElement value))
                continue;
            if (value.ValueKind == JsonValueKind.Object && value.TryGetProperty("content", out JsonElement content))
                value = content;
            if (value.ValueKind == JsonValueKind.String)
                tokens[token] = Text(value, name);
        }

        return tokens;
    }

    private static string Variant(JsonElement list, string name, string variant)
    {
        foreach (JsonElement entry in list.EnumerateArray())
        {
            if (entry.ValueKind == JsonValueKind.Object && entry.TryGetProperty("name", out JsonElement label) && label.ValueKind == JsonValueKind.String
                && Text(label, name) == variant && entry.TryGetProperty("template", out JsonElement template) && template.ValueKind == JsonValueKind.String)
            {
                return Text(template, name);
            }
        }

        throw new InvalidInputException(name, "chat_template", $"has no template named '{variant}'");
    }

    // A JSON text may hold escapes that form no valid characters.
    private static string Text(JsonElement element, string name)
    {
        try
        {
            return element.GetString()!;
        }
        catch (InvalidOperationException invalid)
        {
            throw new InvalidInputException(name, "chat_template", "holds an invalid escape", invalid);
        }
    }
}
