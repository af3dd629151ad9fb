using System.Text.Json;
using Skiff.Models;
using Skiff.Tensors;
using Skiff.Training;

namespace Skiff.Tests.Training;

public sealed class AssistantSpansTests
{
    private static readonly string[] Special = ["<s>", "</s>", "<|im_start|>", "<|im_end|>", "<|eot_id|>", "<|end|>", "<|user|>", "<|assistant|>", "<end_of_turn>", "<｜end▁of▁sentence｜>", "<｜Assistant｜>", "<｜User｜>"];

    // What the model writes after the prompt for an answer, with what ends its turn and nothing behind it.
    [Theory]
    [InlineData("chatml", "{0}<|im_end|>")]
    [InlineData("llama2", " {0} </s>")]
    [InlineData("llama3", "{0}<|eot_id|>")]
    [InlineData("zephyr", "{0}</s>")]
    [InlineData("mistral-v1", null)]
    [InlineData("gemma", "{0}<end_of_turn>")]
    [InlineData("qwen3-thinking", null)]
    [InlineData("deepseek", "{0}<｜end▁of▁sentence｜>")]
    [InlineData("mistral-v3-tools", " {0}</s>")]
    [InlineData("olmo2", null)]
    [InlineData("granite", null)]
    [InlineData("minicpm", null)]
    [InlineData("tinyllama-generation", "{0}</s>")]
    [InlineData("smollm3", "<|im_start|>assistant\n{0}<|im_end|>\n")]
    public void EveryTurnIsFoundToItsEnd(string template, string? form)
    {
        string[] answers = ["Hello there.", "4, of\ncourse", "A"];
        string line = Line([("user", "Hi"), ("assistant", answers[0]), ("user", "2 + 2?"), ("assistant", answers[1]), ("user", "4, of"), ("assistant", answers[2])]);
        JinjaRendering rendering = Render(Golden(template), line);
        string[] parts = Parts(rendering);
        Assert.Equal(3, parts.Length);
        for (int i = 0; i < 3; i++)
        {
            Assert.Contains(answers[i], parts[i], StringComparison.Ordinal);
            Assert.DoesNotContain("Hi", parts[i], StringComparison.Ordinal);
            Assert.DoesNotContain("2 + 2", parts[i], StringComparison.Ordinal);
            if (form is not null)
                Assert.Equal(string.Format(System.Globalization.CultureInfo.InvariantCulture, form, answers[i]), parts[i]);
        }
    }

    // Phi 3.5's template ends a conversation, and no turn within it, with one more token.
    [Fact]
    public void WhatEndsAConversationEndsItsLastTurnOnly()
    {
        JinjaRendering rendering = Render(Golden("phi35"), Line([("user", "Hi"), ("assistant", "Ho"), ("user", "Hi"), ("assistant", "Hu"), ("user", "Hi")]));
        Assert.Equal(["Ho<|end|>", "Hu<|end|>"], Parts(rendering));
        rendering = Render(Golden("phi35"), Line([("user", "Hi"), ("assistant", "Ho"), ("user", "Hi"), ("assistant", "Hu")]));
        Assert.Equal(["Ho<|end|>", "Hu<|end|>\n</s>"], Parts(rendering));
    }

    [Fact]
    public void AnEndThatOnlyTurnsWithinATextHaveIsTheTurns()
    {
        const string template = "{% for m in messages %}{{ m.role }}: {{ m.content }}{% if not loop.last %} {{ eos_token }}{% endif %}{% endfor %}{% if add_generation_prompt %} </s>assistant:{% endif %}";
        JinjaRendering rendering = Render(template, Line([("user", "Hi"), ("assistant", "Ho"), ("user", "Hi"), ("assistant", "Hu")]));
        Assert.Equal("user: Hi </s>assistant: Ho </s>user: Hi </s>assistant: Hu", rendering.Text);
        Assert.Equal([" Ho </s>", " Hu"], Parts(rendering));
    }

    // Templates written over several lines end their prompt with line ends that no answer keeps.
    [Fact]
    public void ALineEndBehindThePromptMayBeMissing()
    {
        JinjaRendering rendering = Render("{% for m in messages %}<{{ m.role }}>\n{{ m.content }}</s>\n{% endfor %}{% if add_generation_prompt %}<assistant>\n\n{% endif %}", Line([("user", "Hi"), ("assistant", "Ho"), ("assistant", "Hu")]));
        Assert.Equal(["Ho</s>", "Hu</s>"], Parts(rendering));
    }

    [Fact]
    public void ASystemMessageIsNotTheAssistants()
    {
        foreach (string template in new[] { "chatml", "llama2", "llama3", "zephyr", "tinyllama-generation" })
        {
            JinjaRendering rendering = Render(Golden(template), Line([("system", "Be terse."), ("user", "Hi"), ("assistant", "Ho"), ("user", "Hu")]));
            Assert.Contains("Be terse.", rendering.Text, StringComparison.Ordinal);
            Assert.Equal("Ho", Assert.Single(Parts(rendering)).Trim().Replace("</s>", "", StringComparison.Ordinal).Replace("<|im_end|>", "", StringComparison.Ordinal).Replace("<|eot_id|>", "", StringComparison.Ordinal).Trim());
        }
    }

    // Qwen 3 shows the reasoning of the last turn only, so an earlier one is written otherwise within the whole.
    [Fact]
    public void ReasoningThatIsTakenOffIsNoneOfTheAssistantsText()
    {
        JinjaRendering rendering = Render(Golden("qwen3-thinking"), Line(
            [("user", "Hi"), ("assistant", "<think>\nA greeting.\n</think>\n\nHo"), ("user", "And?"), ("assistant", "<think>\nMore.\n</think>\n\nHu")]));
        Assert.Equal(["Ho<|im_end|>", "<think>\nMore.\n</think>\n\nHu<|im_end|>"], Parts(rendering));
        rendering = Render(Golden("qwen3-thinking"), Line([("user", "Hi"), ("assistant", "Ho"), ("user", "And?"), ("assistant", "Hu")]));
        Assert.Equal(["Ho<|im_end|>", "<think>\n\n</think>\n\nHu<|im_end|>"], Parts(rendering));
    }

    // Mistral's third template offers tools with the last question, wherever that stands.
    [Fact]
    public void WhatMovesWithTheConversationMovesTheSpans()
    {
        string line = """{"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Ho"}, {"role": "user", "content": "And?"}, {"role": "assistant", "content": "Hu"}], "tools": [{"type": "function", "function": {"name": "f", "description": "d"}}]}""";
        JinjaRendering rendering = Render(Golden("mistral-v3-tools"), line);
        Assert.True(rendering.Text.IndexOf("AVAILABLE_TOOLS", StringComparison.Ordinal) > rendering.Text.IndexOf("Ho", StringComparison.Ordinal));
        Assert.Equal([" Ho</s>", " Hu</s>"], Parts(rendering));
    }

    [Fact]
    public void ToolCallsAreTheAssistantsAndResultsAreNot()
    {
        string line = """{"messages": [{"role": "user", "content": "Weather?"}, {"role": "assistant", "content": null, "tool_calls": [{"type": "function", "function": {"name": "weather", "arguments": {"city": "Ulm"}}}]}, {"role": "tool", "content": "rain"}, {"role": "assistant", "content": "It rains."}]}""";
        Assert.Equal(
            ["<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": \"Ulm\"}}\n</tool_call><|im_end|>", "<think>\n\n</think>\n\nIt rains.<|im_end|>"],
            Parts(Render(Golden("qwen3-thinking"), line)));
    }

    [Fact]
    public void OtherFieldsReachTheTemplate()
    {
        const string template = "{{ tools | length }} {{ mood }} {% for m in messages %}{{ m.role }}({{ m.weight }}): {{ m.content }}\n{% endfor %}{% if add_generation_prompt %}assistant(){% endif %}";
        JinjaRendering rendering = Render(template.Replace("({{ m.weight }})", "()", StringComparison.Ordinal), """{"mood": "fair", "tools": [1, 2], "messages": [{"role": "assistant", "content": "a"}]}""");
        Assert.Equal("2 fair assistant(): a\n", rendering.Text);
        Assert.Equal([": a\n"], Parts(rendering));
    }

    [Fact]
    public void TheBuiltInTemplateMarksItsTurns()
    {
        JinjaRendering rendering = Render(ChatTemplate.ChatMl, Line([("system", "S"), ("user", "Hi"), ("assistant", "Ho")]));
        Assert.Equal("<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nHo<|im_end|>\n", rendering.Text);
        Assert.Equal(["Ho<|im_end|>"], Parts(rendering));
        Assert.Equal("<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n", ChatTemplate.Parse(ChatTemplate.ChatMl).Apply([new("user", "Hi")], addGenerationPrompt: true));
        Assert.Contains("no tool calls", Refused(ChatTemplate.ChatMl, """{"messages": [{"role": "assistant", "content": null, "tool_calls": [1]}]}"""), StringComparison.Ordinal);
        Assert.Contains("no parts", Refused(ChatTemplate.ChatMl, """{"messages": [{"role": "assistant", "content": [{"type": "text", "text": "a"}]}]}"""), StringComparison.Ordinal);
    }

    [Theory]
    // The prompt for an answer is not how an answer begins.
    [InlineData("{% for m in messages %}<{{ m.role }}>{{ m.content }}</s>{% endfor %}{% if add_generation_prompt %}<assistant><think>{% endif %}")]
    // The system message goes where nothing tells of it.
    [InlineData("{% for m in messages %}{% if loop.last and m.role == 'user' %}({{ messages | length }}){% endif %}<{{ m.role }}>{{ m.content }}</s>{% endfor %}")]
    // The number of messages stands before them.
    [InlineData("{{ messages | length }}{% for m in messages %}<{{ m.role }}>{{ m.content | upper }}</s>{% endfor %}")]
    public void WhatCannotBeToldIsRefusedWithTheMend(string template)
    {
        string refusal = Refused(template, Line([("user", "Hi"), ("assistant", "Ho"), ("user", "Hi"), ("assistant", "Ho")]));
        Assert.StartsWith("f.jsonl: line 7: ", refusal, StringComparison.Ordinal);
        Assert.Contains("{% generation %}", refusal, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("3")]
    [InlineData("{}")]
    [InlineData("{\"messages\": {}}")]
    [InlineData("{\"messages\": []}")]
    [InlineData("{\"messages\": [3]}")]
    [InlineData("{\"messages\": [{\"content\": \"a\"}]}")]
    [InlineData("{\"messages\": [{\"role\": 1, \"content\": \"a\"}]}")]
    [InlineData("{\"messages\": [{\"role\": \"user\", \"content\": \"a\"}]}")]
    [InlineData("{\"messages\": [{\"role\": \"assistant\", \"content\": 3}]}")]
    [InlineData("{\"messages\": [{\"role\": \"assistant\", \"content\": {}}]}")]
    [InlineData("{\"messages\": [{\"role\": \"assistant\", \"content\": \"\\ud800\"}]}")]
    [InlineData("{\"messages\": [{\"role\": \"assistant\", \"content\": \"a\", \"x\": [\"\\ud800\"]}]}")]
    [InlineData("{\"messages\": [{\"role\": \"assistant\", \"content\": \"a\", \"\\ud800\": 1}]}")]
    [InlineData("{\"messages\": [{\"role\": \"assistant\", \"content\": \"a\"}], \"tools\": 3}")]
    [InlineData("{\"messages\": [{\"role\": \"assistant\", \"content\": \"a\"}], \"bos_token\": \"x\"}")]
    [InlineData("{\"messages\": [{\"role\": \"assistant\", \"content\": \"a\"}], \"add_generation_prompt\": true}")]
    [InlineData("{\"messages\": [{\"role\": \"assistant\", \"content\": \"a\"}]")]
    [InlineData("{\"messages\": [{\"role\": \"assistant\", \"content\": \"a\"}]} x")]
    [InlineData("{\"conversations\": [{\"from\": \"gpt\", \"value\": \"a\"}]}")]
    public void WhatIsNoConversationIsRefusedByLine(string line) => Assert.StartsWith("f.jsonl: line 7: ", Refused(Golden("chatml"), line), StringComparison.Ordinal);

    [Fact]
    public void WhatTheTemplateRefusesNamesFileAndLine()
    {
        string refusal = Refused(Golden("llama2"), Line([("user", "Hi"), ("user", "Hi"), ("assistant", "Ho")]));
        Assert.StartsWith("f.jsonl: line 7: ", refusal, StringComparison.Ordinal);
        Assert.Contains("alternate", refusal, StringComparison.Ordinal);
    }

    [Fact]
    public void TheHashIsOfTheMessagesAlone()
    {
        uint hash = Parse("""{"messages":[{"role":"assistant","content":"é\n"}]}""").Hash;
        Assert.Equal(hash, Parse(""" { "id": 3, "messages": [ {"role": "assistant", "content": "\u00e9\u000a"} ], "tools": null }""").Hash);
        Assert.NotEqual(hash, Parse("""{"messages":[{"role":"assistant","content":"e\n"}]}""").Hash);
    }

    public static string Line((string Role, string Content)[] messages) =>
        JsonSerializer.Serialize(new { messages = messages.Select(message => new { role = message.Role, content = message.Content }) });

    public static string Golden(string name) => File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Goldens", "templates", "chats", name + ".jinja"));

    private static ChatRecord Parse(string line) => ChatRecord.Parse(System.Text.Encoding.UTF8.GetBytes(line), "f.jsonl", 7);

    private static JinjaRendering Render(string template, string line) =>
        new AssistantSpans(ChatTemplate.Parse(template, bosToken: "<s>", eosToken: "</s>"), Special, "</s>").Render(Parse(line));

    private static string Refused(string template, string line) => Assert.Throws<InvalidInputException>(() => Render(template, line)).Message;

    private static string[] Parts(JinjaRendering rendering) => [.. rendering.Generations.Select(span => rendering.Text.Substring(span.Start, span.Length))];
}
