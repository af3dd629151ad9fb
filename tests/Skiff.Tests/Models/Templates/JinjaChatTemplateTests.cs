using System.Text.Json;
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Tests.Models.Templates;

public sealed class JinjaChatTemplateTests
{
    private const string Source = "{{ bos_token }}{% for m in messages %}[{{ m.role }}]{{ m.content }}{{ eos_token }}\n{% endfor %}\n{% if add_generation_prompt %}\n[assistant]{% endif %}";
    private static readonly ChatMessage[] Messages = [new("user", "Hi"), new("assistant", "Ho")];

    [Fact]
    public void ATemplateTurnsMessagesIntoText()
    {
        ChatTemplate template = ChatTemplate.Parse(Source, bosToken: "<s>", eosToken: "</s>");
        Assert.Equal("<s>[user]Hi</s>\n[assistant]Ho</s>\n", template.Apply(Messages, addGenerationPrompt: false));
        Assert.Equal("<s>[user]Hi</s>\n[assistant]Ho</s>\n[assistant]", template.Apply(Messages, addGenerationPrompt: true));
    }

    [Fact]
    public void TheLastMessageCanBeContinued()
    {
        ChatTemplate template = ChatTemplate.Parse(Source, bosToken: "<s>", eosToken: "</s>");
        Assert.Equal("<s>[user]Hi</s>\n[assistant]Ho", template.ApplyToContinue(Messages));
        Assert.Equal("<s>[user]Hi</s>\n[assistant] Ho ", template.ApplyToContinue([Messages[0], new("assistant", " Ho ")]));
        Assert.Throws<InvalidInputException>(() => ChatTemplate.Parse("x").ApplyToContinue(Messages));
        Assert.Throws<InvalidInputException>(() => template.ApplyToContinue([]));
    }

    [Fact]
    public void ALongConversationStaysInsideTheLimits()
    {
        ChatTemplate template = ChatTemplate.Parse(File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Goldens", "templates", "chats", "qwen3-thinking.jinja")));
        ChatMessage[] messages = [.. Enumerable.Range(0, 2000).Select(i => new ChatMessage(i % 2 == 0 ? "user" : "assistant", new string('x', 1000)))];
        Assert.True(template.Apply(messages, addGenerationPrompt: true).Length > 2_000_000);
    }

    [Fact]
    public void ExtraVariablesAndToolsAreSeen()
    {
        ChatTemplate template = ChatTemplate.Parse("{{ tools }} {{ documents is none }} {{ bos_token is defined }} {{ enable_thinking }} {{ add_generation_prompt }}");
        Assert.Equal("None True False  True", template.Apply(Messages, addGenerationPrompt: true));
        Dictionary<string, object?> extra = new() { ["enable_thinking"] = false };
        Assert.Equal("[{'a': 1}] True False False False", template.Apply(Messages, false, [new Dictionary<string, object?> { ["a"] = 1 }], extra));
    }

    [Fact]
    public void TheAssistantsPartsAreReported()
    {
        ChatTemplate template = ChatTemplate.Parse("{% for m in messages %}{{ m.role }}: {% if m.role == 'assistant' %}{% generation %}{{ m.content }}\n{% endgeneration %}{% else %}{{ m.content }}{% endif %}; {% endfor %}");
        JinjaRendering rendering = template.ApplyWithSpans(Messages);
        Assert.Equal("user: Hi; assistant: Ho\n; ", rendering.Text);
        Assert.Equal([(21, 3)], rendering.Generations);
    }

    [Fact]
    public void ATokenizerConfigHoldsATextOrAList()
    {
        ChatTemplate? text = ChatTemplate.FromTokenizerConfig(Json(new { chat_template = Source, bos_token = "<b>", eos_token = new { content = "<e>" }, unk_token = (string?)null }));
        Assert.Equal("<b>[user]Hi<e>\n[assistant]Ho<e>\n", text!.Apply(Messages, addGenerationPrompt: false));
        JsonElement list = Json(new { chat_template = new[] { new { name = "default", template = "d" }, new { name = "tool_use", template = "t" } } });
        Assert.Equal("d", ChatTemplate.FromTokenizerConfig(list)!.Apply(Messages, addGenerationPrompt: false));
        Assert.Equal("t", ChatTemplate.FromTokenizerConfig(list, variant: "tool_use")!.Apply(Messages, addGenerationPrompt: false));
        Assert.Null(ChatTemplate.FromTokenizerConfig(Json(new { a = 1 })));
        Assert.Null(ChatTemplate.FromTokenizerConfig(Json(new { chat_template = (string?)null })));
    }

    [Theory]
    [InlineData("[]")]
    [InlineData("{\"chat_template\": 1}")]
    [InlineData("{\"chat_template\": []}")]
    [InlineData("{\"chat_template\": [1, {\"name\": 2}]}")]
    [InlineData("{\"chat_template\": \"\\ud800\"}")]
    [InlineData("{\"chat_template\": \"{% if %}\"}")]
    [InlineData("{\"chat_template\": \"\", \"bos_token\": \"\\udc00\"}")]
    public void ABadConfigIsRefused(string config) => Assert.Throws<InvalidInputException>(() => ChatTemplate.FromTokenizerConfig(JsonDocument.Parse(config).RootElement));

    [Fact]
    public void WhatTheTemplateRefusesIsOneLine()
    {
        ChatTemplate template = ChatTemplate.Parse("a\n{{ raise_exception('Roles must\nalternate') }}", "model/chat_template.jinja");
        InvalidInputException refusal = Assert.Throws<InvalidInputException>(() => template.Apply(Messages, addGenerationPrompt: false));
        Assert.Equal("model/chat_template.jinja: line 2: Roles must?alternate", refusal.Message);
        Assert.Throws<InvalidInputException>(() => ChatTemplate.FromTokenizerConfig(Json(new { chat_template = "d" }), variant: "tool_use"));
        Assert.Throws<InvalidInputException>(() => new ChatMessage(new Dictionary<string, object?> { ["content"] = "a" }));
    }

    [Fact]
    public void TheDataFilesTemplatesAreFound()
    {
        foreach (string name in (string[])["qwen2", "phi3"])
        {
            using JsonDocument config = JsonDocument.Parse(File.ReadAllText(Data.File("tokenizers", name, "tokenizer_config.json")));
            Assert.Contains("Hi", ChatTemplate.FromTokenizerConfig(config.RootElement)!.Apply(Messages, addGenerationPrompt: true), StringComparison.Ordinal);
        }
    }

    private static JsonElement Json<T>(T value) => JsonSerializer.SerializeToElement(value);
}
