using System.Text.Json;
using Skiff.Models;

namespace Skiff.Tests.EndToEnd;

/// <summary>From conversations to a model that keeps their template and stops where its turns end.</summary>
public sealed class TrainChatTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void ConversationsTrainAModelThatKeepsTheirTemplate()
    {
        string texts = Path.Combine(_folder.Path, "texts.jsonl"), chats = Path.Combine(_folder.Path, "chats.jsonl"), recipe = Path.Combine(_folder.Path, "chat.yaml"), run = Path.Combine(_folder.Path, "run");
        string[] animals = ["cat", "dog", "owl", "fox", "hen"];
        File.WriteAllLines(texts, Enumerable.Range(0, 60).Select(i => JsonSerializer.Serialize(new { text = $"There once was a {animals[i % 5]} number {i} who asked: what does a {animals[(i + 1) % 5]} say?" })));
        File.WriteAllLines(chats, Enumerable.Range(0, 60).Select(i => JsonSerializer.Serialize(new
        {
            messages = new[] { new { role = "user", content = $"What does {animals[i % 5]} {i} say?" }, new { role = "assistant", content = $"A {animals[i % 5]} says {animals[i % 5][0]}." } },
        })));
        File.WriteAllText(recipe, $$"""
            output: {{run}}
            model: {model_type: llama, hidden_size: 16, intermediate_size: 32, num_hidden_layers: 1, num_attention_heads: 2, tie_word_embeddings: true}
            tokenizer: {vocab_size: 300, special_tokens: ["<|im_start|>", "<|im_end|>"], chat_template: chatml}
            data:
              - {files: {{texts}}, name: texts, weight: 1}
              - {files: {{chats}}, name: chats, weight: 1, format: chat}
            held_out: 0.1
            context_length: 32
            batch_size: 4
            steps: 12
            samples: {prompts: []}
            """);
        CommandLine.Output("train", recipe);
        string model = Path.Combine(run, "model");
        Model trained = Model.Open(model);
        Assert.Contains("<|im_start|>", trained.Tokenizer.ChatTemplate);
        Assert.Contains(trained.Tokenizer.IdOf("<|im_end|>")!.Value, trained.EndIds);
        Assert.Contains(trained.Tokenizer.EosId!.Value, trained.EndIds);
        Assert.All(File.ReadLines(Path.Combine(run, "metrics.jsonl")).Where(line => line.Contains("\"loss\"")), line => Assert.True(JsonDocument.Parse(line).RootElement.GetProperty("loss").GetDouble() is > 0 and < 10));
    }

    [Fact]
    public void ConversationsWithoutATemplateAreRefused()
    {
        string chats = Path.Combine(_folder.Path, "chats.jsonl"), texts = Path.Combine(_folder.Path, "texts.txt"), recipe = Path.Combine(_folder.Path, "chat.yaml");
        File.WriteAllText(texts, string.Concat(Enumerable.Repeat("some words to learn a tokenizer from. ", 50)));
        File.WriteAllText(chats, """{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}""");
        File.WriteAllText(recipe, $$"""
            output: {{Path.Combine(_folder.Path, "run")}}
            model: {model_type: llama, hidden_size: 16, intermediate_size: 32, num_hidden_layers: 1, num_attention_heads: 2}
            tokenizer: {vocab_size: 300}
            data:
              - {files: {{texts}}, name: texts}
              - {files: {{chats}}, name: chats, format: chat}
            held_out: 0
            steps: 2
            """);
        (int code, _, string error) = CommandLine.Run("train", recipe);
        Assert.Equal(1, code);
        Assert.Contains("chat_template", error.TrimEnd().Split('\n')[^1]);
    }
}
