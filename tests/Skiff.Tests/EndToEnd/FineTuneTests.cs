using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Tests.EndToEnd;

/// <summary>Models that are continued, whole and by adapters, from recipe to text.</summary>
public sealed class FineTuneTests : IDisposable
{
    private static readonly string[] s_winds = ["north", "north-east", "east", "south-east", "south", "south-west", "west", "north-west"];
    private static readonly string[] s_seas = ["calm", "slight", "moderate", "rough", "very rough"];
    private static readonly string[] s_places = ["Dogger", "Fisher", "German Bight", "Humber", "Thames", "Dover", "Wight", "Portland"];

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void StoriesLearnTheShippingForecast()
    {
        string model = Stories260k.Checkpoint;
        Corpus();
        double before = Train(Recipe(model, "base", "optimizer: {learning_rate: 1e-12}", steps: 1));
        double full = Train(Recipe(model, "full", "optimizer: {learning_rate: 0.001}", steps: 40));
        double lora = Train(Recipe(model, "lora", "optimizer: {learning_rate: 0.01}\nlora: {rank: 4, alpha: 8, modules: [query, key, value, output, gate, up, down]}", steps: 40));
        Assert.True(full < 0.5 * before, $"held-out loss {full:0.000} after {before:0.000}");
        Assert.True(lora < 0.5 * before, $"held-out loss {lora:0.000} with adapters after {before:0.000}");

        CommandLine.Output("merge", model, File("lora/adapter"), File("merged"), "--tokenizer", Stories260k.Tokenizer);
        Model trained = Model.Open(File("lora/model")), merged = Model.Open(File("merged")), start = Stories260k.Open();
        foreach (Parameter parameter in ParameterList.Of(trained.Config))
        {
            float[] a = trained.Parameter(parameter.Name).Floats().ToArray(), b = merged.Parameter(parameter.Name).Floats().ToArray();
            Assert.True(a.Zip(b).All(pair => Math.Abs(pair.First - pair.Second) < 1e-6), parameter.Name);
            // Adapters leave the embedding, the norms and the head alone.
            Assert.Equal(parameter.Layer < 0 || parameter.Module.EndsWith("_norm", StringComparison.Ordinal), a.AsSpan().SequenceEqual(start.Parameter(parameter.Name).Floats()));
        }

        CommandLine.Output("merge", model, File("lora/adapter"), File("merged.gguf"), "--type", "q8_0", "--tokenizer", Stories260k.Tokenizer);
        foreach (string place in new[] { "full/model", "merged", "merged.gguf" })
        {
            string text = CommandLine.Output("generate", File(place), "--prompt", "Dogger: wind", "--max-tokens", "40", "--temperature", "0");
            Assert.Contains("sea", text);
        }
    }

    [Fact]
    public void AnInterruptedRunOfAdaptersEndsWithTheSameBytes()
    {
        Tiny("base");
        Corpus();
        string recipe = Recipe(File("base"), "run", "lora: {rank: 2, modules: [query, up]}\ncheckpoint: {every: 2, keep: 9}", steps: 6);
        Train(recipe);
        string[] results = ["model/model.safetensors", "adapter/adapter_model.safetensors", "adapter/adapter_config.json"];
        byte[][] wanted = [.. results.Select(name => System.IO.File.ReadAllBytes(File($"run/{name}")))];
        foreach (string gone in new[] { "model", "adapter", "step-000006", "step-000004" })
            Directory.Delete(File($"run/{gone}"), recursive: true);
        CommandLine.Output("train", recipe, "--resume", "auto");
        Assert.All(results.Zip(wanted), pair => Assert.True(pair.Second.AsSpan().SequenceEqual(System.IO.File.ReadAllBytes(File($"run/{pair.First}"))), pair.First));
    }

    // Template, generation settings and the longest context come along; a shorter context is enough to train on.
    [Theory]
    [InlineData("base", false)]
    [InlineData("base.gguf", true)]
    public void WhatCameWithTheModelStays(string place, bool quantized)
    {
        Tiny("base");
        Corpus();
        const string Template = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}";
        Change("base/tokenizer_config.json", json => json["chat_template"] = Template);
        Change("base/generation_config.json", json => (json["eos_token_id"], json["temperature"]) = (new JsonArray(0, 5), 0.7));
        CommandLine.Output("convert", File("base"), File("base.gguf"), "--type", "q8_0");
        (int code, _, string notes) = CommandLine.Run("train", Recipe(File(place), "run", "", steps: 2));
        Assert.Equal(0, code);
        Assert.Equal(quantized, notes.Contains("base.gguf is q8_0: its weights are trained, and written, as the f32 numbers that they stand for\n"));
        Model start = Model.Open(File(place)), model = Model.Open(File("run/model"));
        Assert.Equal((Template, TensorType.F32, 128), (model.Tokenizer.ChatTemplate, model.Type, model.Config.MaxPositionEmbeddings));
        Assert.Equal(start.EndIds, model.EndIds);
        Assert.Equal([0, 5], model.EndIds);
        if (!quantized)
            Assert.Equal(0.7, (double)JsonNode.Parse(System.IO.File.ReadAllText(File("run/model/generation_config.json")))!["temperature"]!);
        Assert.False(model.Parameter("layers.0.query.weight").Floats().SequenceEqual(start.Parameter("layers.0.query.weight").ConvertTo(TensorType.F32).Floats()));
    }

    [Theory]
    [InlineData("context_length: 256", "context_length: 256 tokens are more than the model's context of 128")]
    [InlineData("lora: {modules: [query, gates]}", "lora.modules: this model has no 'gates'; it has down, gate, key, output, query, up, value")]
    [InlineData("parametrization: {form: mup}", "parametrization.form: a model that is continued keeps its own scales")]
    [InlineData("lora: {}\noptimizer: {name: muon}", "muon is for whole matrices, and lora trains none")]
    public void WhatCannotBeContinuedIsRefused(string more, string problem)
    {
        Tiny("base");
        Corpus();
        (int code, _, string error) = CommandLine.Run("train", Recipe(File("base"), "run", more, steps: 1));
        Assert.Equal(1, code);
        Assert.Contains(problem, error);
    }

    [Fact]
    public void AnAdapterIsNotMergedOntoItself()
    {
        Tiny("base");
        foreach (string target in new[] { "base", "adapter/" })
        {
            (int code, _, string error) = CommandLine.Run("merge", File("base"), File("adapter"), File(target));
            Assert.Equal(1, code);
            Assert.Contains("name another place", error);
        }
    }

    // Trained parameters are counted, and frozen ones have neither gradients nor moments.
    [Fact]
    public void ADryRunTellsWhatAdaptersSave()
    {
        Tiny("base");
        Corpus();
        JsonElement full = Dry(""), lora = Dry("lora: {rank: 2, modules: [query]}");
        Assert.Equal(full.GetProperty("parameters").GetInt64(), lora.GetProperty("parameters").GetInt64());
        Assert.Equal(full.GetProperty("parameters").GetInt64(), full.GetProperty("trained_parameters").GetInt64());
        Assert.Equal(2 * (2 * 32 + 64 * 2), lora.GetProperty("trained_parameters").GetInt64());
        Assert.True(10 * lora.GetProperty("gradient_bytes").GetInt64() < full.GetProperty("gradient_bytes").GetInt64());
        Assert.True(10 * lora.GetProperty("optimizer_bytes").GetInt64() < full.GetProperty("optimizer_bytes").GetInt64());

        JsonElement Dry(string more) => JsonSerializer.Deserialize<JsonElement>(CommandLine.Output("train", Recipe(File("base"), "dry", more, steps: 1), "--dry-run", "--json"));
    }

    private string File(string name) => _folder.File(name);

    // A context of 64 unless said otherwise.
    private string Recipe(string model, string run, string more, int steps)
    {
        string path = File(run + ".yaml");
        System.IO.File.WriteAllText(path, string.Create(CultureInfo.InvariantCulture, $$"""
            init_from: {{model}}
            output: {{File(run)}}
            data: [{files: {{File("forecasts.jsonl")}}}]
            held_out: 0.1
            batch_size: 8
            steps: {{steps}}
            samples: {prompts: []}
            validation: {tokens: 2000}
            {{(more.Contains("context_length") ? "" : "context_length: 64\n")}}{{more}}
            """));
        return path;
    }

    // The held-out loss at the end.
    private static double Train(string recipe)
    {
        JsonElement[] lines = [.. CommandLine.Output("train", recipe, "--json").TrimEnd('\n').Split('\n').Select(line => JsonSerializer.Deserialize<JsonElement>(line))];
        return lines.Last(line => line.TryGetProperty("val_loss", out _)).GetProperty("val_loss").GetDouble();
    }

    private void Corpus()
    {
        Random random = new(1);
        StringBuilder lines = new();
        for (int n = 0; n < 120; n++)
        {
            string text = string.Create(CultureInfo.InvariantCulture, $"{Any(s_places)}: wind {Any(s_winds)} {random.Next(2, 11)}, sea {Any(s_seas)}, then {Any(s_seas)}. {Any(s_places)}: wind {Any(s_winds)} {random.Next(2, 11)}.");
            lines.AppendLine(JsonSerializer.Serialize(new { text }));
        }

        System.IO.File.WriteAllText(File("forecasts.jsonl"), lines.ToString());

        string Any(string[] words) => words[random.Next(words.Length)];
    }

    private void Tiny(string name)
    {
        System.IO.File.WriteAllText(File("config.json"), """
            {
              "model_type": "qwen3", "vocab_size": 320, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "head_dim": 16,
              "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 128, "tie_word_embeddings": true
            }
            """);
        CommandLine.Output("init", File("config.json"), File(name), "--seed", "3");
    }

    private void Change(string name, Action<JsonObject> change)
    {
        JsonObject json = System.IO.File.Exists(File(name)) ? JsonNode.Parse(System.IO.File.ReadAllText(File(name)))!.AsObject() : [];
        change(json);
        System.IO.File.WriteAllText(File(name), json.ToJsonString());
    }
}
