using System.Text.Json;
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Tests.Models.Templates;

/// <summary>Texts and errors of the original Jinja2, made by Goldens/templates/make.py.</summary>
public sealed class JinjaGoldenTests
{
    private static readonly DateTimeOffset Now = new(2025, 3, 7, 9, 5, 2, TimeSpan.Zero);

    [Fact]
    public void EveryExpressionRendersAsInJinja2()
    {
        Dictionary<string, object?> variables = JsonDocument.Parse(File.ReadAllText(Golden("variables.json"))).RootElement
            .EnumerateObject().ToDictionary(property => property.Name, property => (object?)property.Value);
        Check("expressions.jsonl", 5000, row =>
        {
            JinjaOptions options = row.GetProperty("mode").GetString() switch
            {
                "chat" => JinjaOptions.Chat with { Now = () => Now },
                "trim" => new JinjaOptions { TrimBlocks = true, LstripBlocks = true },
                "strict" => new JinjaOptions { StrictUndefined = true, KeepTrailingNewline = true },
                _ => new JinjaOptions(),
            };
            return JinjaTemplate.Parse(row.GetProperty("template").GetString()!, "golden", options).Render(variables);
        });
    }

    [Fact]
    public void EveryConversationRendersAsInJinja2()
    {
        JsonElement[] conversations = [.. JsonDocument.Parse(File.ReadAllText(Golden("conversations.json"))).RootElement.EnumerateArray()];
        Dictionary<string, ChatTemplate> templates = [];
        JinjaOptions options = JinjaOptions.Chat with { Now = () => Now };
        Check("chats.jsonl", 400, row =>
        {
            string name = row.GetProperty("template").GetString()!;
            if (!templates.TryGetValue(name, out ChatTemplate? template))
                templates[name] = template = ChatTemplate.Parse(Source(name), name, "<s>", "</s>", options);
            return Apply(template, conversations[row.GetProperty("conversation").GetInt32()]);
        });
    }

    private static string Apply(ChatTemplate template, JsonElement conversation)
    {
        Dictionary<string, object?> extra = conversation.EnumerateObject().Where(property => property.Name is not ("messages" or "tools" or "add_generation_prompt"))
            .ToDictionary(property => property.Name, property => (object?)property.Value);
        ChatMessage[] messages = [.. conversation.GetProperty("messages").EnumerateArray().Select(message => new ChatMessage(
            new OrderedDictionary<string, object?>(message.EnumerateObject().Select(field => KeyValuePair.Create(field.Name, (object?)field.Value)))))];
        object?[]? tools = conversation.TryGetProperty("tools", out JsonElement list) ? [.. list.EnumerateArray().Select(tool => (object?)tool)] : null;
        bool prompt = conversation.TryGetProperty("add_generation_prompt", out JsonElement flag) && flag.GetBoolean();
        return template.Apply(messages, prompt, tools, extra);
    }

    private static string Source(string name)
    {
        if (name.EndsWith(".jinja", StringComparison.Ordinal))
            return File.ReadAllText(Golden("chats", name));
        using JsonDocument config = JsonDocument.Parse(File.ReadAllText(Data.File("tokenizers", name, "tokenizer_config.json")));
        return config.RootElement.GetProperty("chat_template").GetString()!;
    }

    private static void Check(string file, int least, Func<JsonElement, string> render)
    {
        List<string> wrong = [];
        int count = 0;
        foreach (string line in File.ReadLines(Golden(file)))
        {
            count++;
            JsonElement row = JsonDocument.Parse(line).RootElement;
            string? expected = row.TryGetProperty("expected", out JsonElement text) ? text.GetString() : null;
            string? actual = null;
            string problem = "";
            try
            {
                actual = render(row);
            }
            catch (InvalidInputException refusal)
            {
                problem = refusal.Message;
                Assert.StartsWith("line ", refusal.Field, StringComparison.Ordinal);
            }

            if (actual != expected)
                wrong.Add($"{line}\n    gives {(actual is null ? problem : JsonSerializer.Serialize(actual))}");
        }

        Assert.True(count >= least, $"{file} has only {count} cases");
        Assert.True(wrong.Count == 0, $"{wrong.Count} of {count}:\n{string.Join('\n', wrong.Take(Limit))}");
    }

    private static readonly int Limit = int.TryParse(Environment.GetEnvironmentVariable("SKIFF_SHOWN"), out int shown) ? shown : 20;

    private static string Golden(params string[] parts) => Path.Combine([AppContext.BaseDirectory, "Goldens", "templates", .. parts]);
}
