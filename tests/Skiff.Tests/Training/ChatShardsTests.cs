using System.Text;
using Skiff.Fuzz;
using Skiff.Models;
using Skiff.Tensors;
using Skiff.Tests.Fuzzing;
using Skiff.Training;

namespace Skiff.Tests.Training;

public sealed class ChatShardsTests : IDisposable
{
    private static readonly Tokenizer Tokenizer = ByteLevelTokenizer.Create(
        900, new Dictionary<int, string> { [0] = "<s>", [1] = "</s>", [2] = "<|im_start|>", [3] = "<|im_end|>", [4] = "<|eot_id|>", [5] = "<|start_header_id|>", [6] = "<|end_header_id|>" }, "<s>", "</s>");

    private readonly Corpus _corpus = new();

    public void Dispose() => _corpus.Dispose();

    [Theory]
    [InlineData("chatml", "{0}<|im_end|>")]
    [InlineData("llama2", " {0} </s>")]
    [InlineData("llama3", "{0}<|eot_id|>")]
    [InlineData("zephyr", "{0}</s>")]
    [InlineData("tinyllama-generation", "{0}</s>")]
    public void IdsAreThoseOfTheWholeTextAndTargetsTheAssistants(string name, string form)
    {
        string template = AssistantSpansTests.Golden(name);
        (string Role, string Content)[][] conversations = [.. Conversations(60)];
        using TokenShards shards = Build(Write("a.jsonl.gz", conversations), new() { ChatTemplate = template, ShardTokens = 500 });
        ChatTemplate chat = ChatTemplate.Parse(template, bosToken: "<s>", eosToken: "</s>");
        Assert.True(shards.IsMasked);
        Assert.Equal(conversations.Length, shards.Documents);
        Assert.True(Corpus.Bytes(_corpus.Shards).Count > 3);
        long bytes = 0;
        for (int i = 0; i < conversations.Length; i++)
        {
            string text = chat.Apply([.. conversations[i].Select(message => new ChatMessage(message.Role, message.Content))], addGenerationPrompt: false);
            int[] ids = shards.ReadDocument(i), targets = shards.ReadTargets(i);
            Assert.Equal(Tokenizer.Encode(text, addSpecial: false), ids);
            Assert.Equal(ids.Select((id, t) => targets[t] == DataLoader.NoTarget ? DataLoader.NoTarget : id), targets);
            string expected = string.Concat(conversations[i].Where(message => message.Role == "assistant")
                .Select(message => string.Format(System.Globalization.CultureInfo.InvariantCulture, form, message.Content)));
            Assert.Equal(expected, Tokenizer.Decode([.. targets.Where(id => id >= 0)]));
            bytes += Encoding.UTF8.GetByteCount(text);
        }

        Assert.Equal(bytes, shards.TextBytes);
    }

    [Fact]
    public void TheLoaderHandsOutTheAssistantsTokensAsTargets()
    {
        (string Role, string Content)[][] conversations = [.. Conversations(80)];
        using TokenShards shards = Build(Write("a.jsonl", conversations), new() { ChatTemplate = ChatTemplate.ChatMl, ShardTokens = 700 });
        const int context = 32;
        DataLoader loader = new([new DataSource("chat", shards)], new() { HeldOutShare = 0, Stages = [new() { ContextLength = context }] });
        List<(int, int)> seen = [];
        while (seen.Count < shards.Tokens)
        {
            int[] tokens = new int[context], targets = new int[context], starts = new int[context];
            loader.Next(tokens, targets, starts);
            seen.AddRange(tokens.Zip(targets));
        }

        List<(int, int)> expected = [];
        for (int i = 0; i < shards.Documents; i++)
            expected.AddRange(shards.ReadDocument(i).Zip([.. shards.ReadTargets(i)[1..], DataLoader.NoTarget]));
        Assert.Equal(expected.Order(), seen.Take((int)shards.Tokens).Order());
        Assert.Contains(expected, pair => pair.Item2 == Tokenizer.IdOf("<|im_end|>"));
        Assert.DoesNotContain(expected, pair => pair.Item2 == Tokenizer.IdOf("<|im_start|>"));
    }

    [Fact]
    public void TheNumberOfThreadsChangesNoByteAndASecondRunKeepsAll()
    {
        string source = Write("a.jsonl", [.. Conversations(4000)]);
        TokenShardOptions options = new() { ChatTemplate = AssistantSpansTests.Golden("llama3"), ShardTokens = 20_000, Threads = 1 };
        Build(source, options).Dispose();
        List<byte[]> one = Corpus.Bytes(_corpus.Shards);
        Assert.True(one.Count > 5);
        string other = Path.Combine(_corpus.Root, "other");
        Build(source, options with { Threads = 3 }, other).Dispose();
        Assert.Equal(one, Corpus.Bytes(other));
        // What a killed run left is gone on with.
        File.Delete(Path.Combine(other, "shard-00002.tokens"));
        TokenShardResult result = Run(source, options with { Threads = 2 }, other);
        result.Shards.Dispose();
        Assert.Equal((2, one.Count - 2), (result.Kept, result.Written));
        Assert.Equal(one, Corpus.Bytes(other));
        // Another template is another text.
        result = Run(source, options with { ChatTemplate = ChatTemplate.ChatMl }, other);
        result.Shards.Dispose();
        Assert.Equal(0, result.Kept);
    }

    [Fact]
    public void TheSplitDependsOnTheMessagesAlone()
    {
        string source = Write("a.jsonl", [.. Conversations(500)]);
        using TokenShards chatMl = Build(source, new() { ChatTemplate = ChatTemplate.ChatMl });
        using TokenShards zephyr = Build(source, new() { ChatTemplate = AssistantSpansTests.Golden("zephyr") }, Path.Combine(_corpus.Root, "other"));
        TokenCount held = chatMl.Count(DataSplit.HeldOut, 0.1);
        Assert.InRange(held.Documents, 25, 80);
        Assert.Equal(held.Documents, zephyr.Count(DataSplit.HeldOut, 0.1).Documents);
    }

    [Fact]
    public void TheTokenizersOwnTemplateIsUsed()
    {
        Tokenizer own = Skiff.Models.Tokenizer.FromJson(TokenizerJson(), "x", Encoding.UTF8.GetBytes($$"""{"bos_token": "<s>", "eos_token": "</s>", "chat_template": {{System.Text.Json.JsonSerializer.Serialize(AssistantSpansTests.Golden("zephyr"))}}}"""));
        string source = Write("a.jsonl", [[("user", "Hi"), ("assistant", "Ho")]]);
        using TokenShards shards = TokenShards.Build([source], own, _corpus.Shards, new() { Format = DocumentFormat.Chat }, null, TestContext.Current.CancellationToken).Shards;
        Assert.Equal("Ho</s>", own.Decode([.. shards.ReadTargets(0).Where(id => id >= 0)]));
    }

    [Fact]
    public void AFolderGivesItsConversationsAndATemplateNoClock()
    {
        Write("in/a.jsonl", [[("user", "Hi"), ("assistant", "Ho")]]);
        Write("in/b/b.jsonl.gz", [[("user", "Hu"), ("assistant", "Ha")]]);
        File.WriteAllText(Path.Combine(_corpus.Root, "in", "readme.txt"), "no conversation");
        using TokenShards shards = Build(Path.Combine(_corpus.Root, "in"), new() { ChatTemplate = "{{ strftime_now('%d %b %Y') }}" + ChatTemplate.ChatMl });
        Assert.Equal(2, shards.Documents);
        Assert.StartsWith("26 Jul 2024<|im_start|>", Tokenizer.Decode(shards.ReadDocument(0)), StringComparison.Ordinal);
    }

    [Fact]
    public void WhatCannotBeLearntFromIsRefusedByFileAndLine()
    {
        string path = Path.Combine(_corpus.Root, "a.jsonl");
        string good = AssistantSpansTests.Line([("user", "Hi"), ("assistant", "Ho")]);
        foreach (string bad in new[] { AssistantSpansTests.Line([("user", "Hi")]), "{", """{"text": "a"}""" })
        {
            // Blank lines count.
            File.WriteAllText(path, $"{good}\n\n{bad}\n{good}\n");
            InvalidInputException refusal = Assert.Throws<InvalidInputException>(() => Build(path, new() { ChatTemplate = ChatTemplate.ChatMl }));
            Assert.Equal((path, "line 3"), (refusal.Input, refusal.Field));
        }

        File.WriteAllText(path, AssistantSpansTests.Line([("user", "Hi"), ("assistant", "Ho")]));
        const string marksNothing = "{% for m in messages %}{{ m.content }}{% endfor %}{% if false %}{% generation %}{% endgeneration %}{% endif %}";
        Assert.Equal("line 1", Assert.Throws<InvalidInputException>(() => Build(path, new() { ChatTemplate = marksNothing })).Field);
        File.WriteAllBytes(path, [.. Encoding.UTF8.GetBytes(good + "\n"), (byte)'"', 0xE9, (byte)'"']);
        Assert.Equal("line 2", Assert.Throws<InvalidInputException>(() => Build(path, new() { ChatTemplate = ChatTemplate.ChatMl })).Field);
    }

    [Fact]
    public void OptionsThatDoNotGoTogetherAreRefused()
    {
        string source = Write("a.jsonl", [[("user", "Hi"), ("assistant", "Ho")]]), text = _corpus.Write("a.txt", ["a"]);
        Assert.Equal("chat_template", Assert.Throws<InvalidInputException>(() => Build(source, new())).Field);
        Assert.Equal("begin with bos", Assert.Throws<InvalidInputException>(() => Build(source, new() { ChatTemplate = ChatTemplate.ChatMl, BeginWithBos = true })).Field);
        Assert.Equal("end with eos", Assert.Throws<InvalidInputException>(() => Build(source, new() { ChatTemplate = ChatTemplate.ChatMl, EndWithEos = true })).Field);
        Assert.Equal("chat template", Assert.Throws<InvalidInputException>(() => _corpus.Build(text, new() { ChatTemplate = ChatTemplate.ChatMl })).Field);
        Assert.Equal(text, Assert.Throws<InvalidInputException>(() => Build(text, new() { ChatTemplate = ChatTemplate.ChatMl })).Input);
        Assert.Equal("line 1", Assert.Throws<InvalidInputException>(() => Build(source, new() { ChatTemplate = "{% if %}" })).Field);
        using TokenShards shards = _corpus.Build(text).Shards;
        Assert.False(shards.IsMasked);
        Assert.Equal(shards.ReadDocument(0), shards.ReadTargets(0));
    }

    [Fact]
    public void MutatedConversationsNeitherCrashNorHang() => Mutation.Check(
        [
            Encoding.UTF8.GetBytes(AssistantSpansTests.Line([("user", "Hi"), ("assistant", " Ho </s> "), ("user", "Hi"), ("assistant", "Hu")])),
            Encoding.UTF8.GetBytes("""{"messages": [{"role": "assistant", "content": null, "tool_calls": [{"a": 1.5}]}], "tools": [{}], "x": true}"""),
        ],
        FuzzTargets.All["chat.jsonl"]);

    // Contents begin with a letter and hold no special token, so no token crosses a border.
    private static IEnumerable<(string Role, string Content)[]> Conversations(int count)
    {
        Random random = new(5);
        string Text() => string.Concat(Enumerable.Range(0, 1 + random.Next(12)).Select(i => i == 0 ? "Ab" : new[] { " cd", "é", " 12", "\n", ".", "世", " x  y" }[random.Next(7)])) + ".";
        for (int n = 0; n < count; n++)
        {
            List<(string, string)> messages = random.Next(2) == 0 ? [("system", Text())] : [];
            for (int turn = 1 + random.Next(3); turn > 0; turn--)
                messages.AddRange([("user", Text()), ("assistant", Text())]);
            if (random.Next(3) == 0)
                messages.Add(("user", Text()));
            yield return [.. messages];
        }
    }

    private string Write(string name, (string Role, string Content)[][] conversations)
    {
        string path = Path.Combine(_corpus.Root, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        using Stream file = File.Create(path);
        using Stream stream = name.EndsWith(".gz", StringComparison.Ordinal) ? new System.IO.Compression.GZipStream(file, System.IO.Compression.CompressionLevel.Fastest) : file;
        foreach ((string, string)[] conversation in conversations)
            stream.Write(Encoding.UTF8.GetBytes(AssistantSpansTests.Line(conversation) + "\n"));
        return path;
    }

    private static byte[] TokenizerJson()
    {
        using MemoryStream bytes = new();
        using (System.Text.Json.Utf8JsonWriter json = new(bytes))
            HuggingFaceWriter.WriteTokenizer(Tokenizer.Spec, json);
        return bytes.ToArray();
    }

    private TokenShards Build(string source, TokenShardOptions options, string? folder = null) => Run(source, options, folder).Shards;

    private TokenShardResult Run(string source, TokenShardOptions options, string? folder = null) =>
        TokenShards.Build([source], Tokenizer, folder ?? _corpus.Shards, options with { Format = DocumentFormat.Chat }, null, TestContext.Current.CancellationToken);
}
