using System.Text.Json.Nodes;
using Skiff.Compression;
using Skiff.Models;

namespace Skiff.Tests.EndToEnd;

public sealed class DistillTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void APrunedModelLearnsFromWhatItWas()
    {
        string teacher = Teacher(), text = Texts();
        CommandLine.Output("prune", teacher, _folder.File("half"), "--data", text, "--context", "64", "--params", "70%");
        string[] args = ["distill", teacher, _folder.File("half"), _folder.File("taught"), "--data", text, "--steps", "12", "--context", "64", "--batch", "8", "--learning-rate", "2e-3", "--states", "embedding,3:3", "--set", "held_out=0.1", "--json"];
        string[] lines = CommandLine.Output(args).Trim().Split('\n');
        double[] losses = [.. lines.Select(line => JsonNode.Parse(line)!).Where(line => line["lr_multiplier"] is not null).Select(line => (double)line["loss"]!)];
        Assert.Equal(12, losses.Length);
        Assert.True(losses[^3..].Average() < 0.8 * losses[..3].Average(), string.Join(' ', losses));
        Assert.Equal(Model.Open(_folder.File("half")).Config.ParameterCount, Model.Open(_folder.File("taught")).Config.ParameterCount);

        // Interrupted and gone on with, the same bytes.
        byte[] wanted = File.ReadAllBytes(_folder.File("taught/model.safetensors"));
        foreach (string gone in new[] { "taught", "taught-run/model" })
            Directory.Delete(_folder.File(gone), recursive: true);
        CommandLine.Output(args);
        Assert.Equal(wanted, File.ReadAllBytes(_folder.File("taught/model.safetensors")));
    }

    [Fact]
    public void ATeacherLearnsNewTextsFirst()
    {
        string teacher = Teacher(), text = Texts();
        CommandLine.Output(
            "distill", teacher, teacher, _folder.File("taught"), "--data", text, "--steps", "2", "--context", "64", "--batch", "4", "--correct-teacher", "512", "--loss", "jensen_shannon", "--label-weight", "0.5");
        float[] before = Model.Open(teacher).Parameter("final_norm.weight").Floats().ToArray();
        Assert.NotEqual(before, Model.Open(_folder.File("taught-teacher")).Parameter("final_norm.weight").Floats().ToArray());
    }

    // Stopped between and gone on with, a teacher that learns is where it was.
    [Fact]
    public void ATeacherLearnsBesideItsStudent()
    {
        string teacher = Teacher(), text = Texts();
        byte[] whole = Taught("whole", 6, teacher);
        Assert.NotEqual(whole, Taught("still", 6, teacher, along: false));
        Taught("parts", 6, teacher, stopAt: 3);
        Assert.Equal(whole, Taught("parts", 6, teacher));

        byte[] Taught(string name, int steps, string from, bool along = true, int stopAt = 0)
        {
            string[] args =
            [
                "distill", from, from, _folder.File(name), "--data", text, "--steps", $"{steps}", "--context", "64", "--batch", "4", "--learning-rate", "1e-3", "--set", "checkpoint.every=3", "--set", "checkpoint.keep=9",
                .. along ? ["--correct-along"] : Array.Empty<string>(),
            ];
            CommandLine.Output(args);
            string target = _folder.File(name);
            if (stopAt == 0)
                return File.ReadAllBytes(Path.Combine(target, "model.safetensors"));
            // As an interruption behind that step leaves it.
            Directory.Delete(target, recursive: true);
            foreach (string gone in Directory.GetDirectories(target + "-run").Where(folder => !folder.EndsWith($"{stopAt}", StringComparison.Ordinal)))
                Directory.Delete(gone, recursive: true);
            return [];
        }
    }

    [Fact]
    public void WhatATeacherForetellsIsKept()
    {
        string teacher = Teacher(), text = Texts(), cache = _folder.File("kept/teacher.top");
        CommandLine.Output("prune", teacher, _folder.File("half"), "--data", text, "--context", "64", "--params", "70%");
        byte[] first = Taught("one"), kept = File.ReadAllBytes(cache);
        // 6 bytes an id, 8 ids a token, 64 tokens and a mark of 8 bytes a row, 4 rows a step; steps are counted from 1.
        const int Row = (64 * 8 * 6) + 8;
        Assert.Equal(64 + (6 * 4 * Row), kept.Length);
        Assert.Equal(first, Taught("two"));
        Assert.Equal(kept, File.ReadAllBytes(cache));

        // What is damaged is foretold again.
        byte[] damaged = [.. kept];
        damaged.AsSpan(64 + (4 * Row), 8).Clear();
        File.WriteAllBytes(cache, damaged[..^100]);
        Assert.Equal(first, Taught("three"));
        Assert.Equal(kept, File.ReadAllBytes(cache));
        Assert.Contains("distill.cache: is of another teacher, context length or top_k", Refusal("--context", "32", "--top-k", "8", "--teacher-cache", cache));
        Assert.Contains("distill.top_k: --set: must be given with a cache", Refusal("--teacher-cache", cache));

        byte[] Taught(string name)
        {
            CommandLine.Output("distill", teacher, _folder.File("half"), _folder.File(name), "--data", text, "--steps", "5", "--context", "64", "--batch", "4", "--top-k", "8", "--teacher-cache", cache);
            return File.ReadAllBytes(_folder.File(name + "/model.safetensors"));
        }

        string Refusal(params string[] more)
        {
            (int code, _, string error) = CommandLine.Run(["distill", teacher, _folder.File("half"), _folder.File("none"), "--data", text, "--steps", "1", .. more]);
            Assert.NotEqual(0, code);
            return error;
        }
    }

    // Rounded to 4 bits, a model that learnt with its weights rounded is nearer to what it was.
    [Fact]
    public void AModelLearnsToBeRounded()
    {
        string teacher = Teacher(), text = Data.File("text", "tinystories-v1-train.jsonl.gz"), plain = _folder.File("plain.gguf"), aware = _folder.File("aware.gguf");
        CommandLine.Output("distill", teacher, teacher, _folder.File("taught"), "--data", text, "--steps", "60", "--context", "128", "--batch", "8", "--learning-rate", "5e-4", "--round-to", "q4_0");
        CommandLine.Output("quantize", teacher, plain, "--type", "q4_0");
        CommandLine.Output("quantize", _folder.File("taught"), aware, "--type", "q4_0");
        Model original = Model.Open(teacher);
        Memory<int>[] samples = CalibrationText.Samples(original, Data.File("text", "tinystories-v2-gpt4.jsonl.gz"), 20, 128);
        double nearest = Kl(plain), learnt = Kl(aware);
        Assert.True(learnt < 0.8 * nearest, $"{learnt} against {nearest}");

        double Kl(string path) => ModelDivergence.Measure(original, Model.Open(path), samples, TestContext.Current.CancellationToken).Kl;
    }

    [Fact]
    public void WhatCannotBeHonouredIsRefused()
    {
        string teacher = Teacher(), text = Texts();
        File.WriteAllText(_folder.File("config.json"), """{"model_type": "llama", "vocab_size": 300, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2, "max_position_embeddings": 128}""");
        CommandLine.Output("init", _folder.File("config.json"), _folder.File("small"));
        Assert.Contains("a student needs its teacher's tokenizer", Refusal(_folder.File("small")));
        Assert.Contains("distill.loss: --set: must be one of", Refusal(teacher, "--loss", "l7"));
        Assert.Contains("distill.temperature: --set: must be 1", Refusal(teacher, "--loss", "cosine", "--temperature", "2"));
        Assert.Contains("round_to: --set: must be one of q8_0, q4_0", Refusal(teacher, "--round-to", "q3"));
        Assert.Contains("distill.states: 'last' is no pair: write 'embedding', or TEACHER:STUDENT", Refusal(teacher, "--states", "last"));
        Assert.Contains("the teacher's blocks are 0 to 4, the student's 0 to 4", Refusal(teacher, "--states", "embedding,5:1"));
        Assert.False(Directory.Exists(_folder.File("refused")));

        string Refusal(string student, params string[] more)
        {
            (int code, _, string error) = CommandLine.Run(["distill", teacher, student, _folder.File("refused"), "--data", text, "--steps", "1", "--context", "64", .. more]);
            Assert.NotEqual(0, code);
            return error;
        }
    }

    private string Teacher()
    {
        string path = _folder.File("base");
        if (!Directory.Exists(path))
            CommandLine.Output("convert", Stories260k.Checkpoint, path, "--tokenizer", Stories260k.Tokenizer);
        return path;
    }

    private string Texts()
    {
        string path = _folder.File("text.jsonl");
        Random random = new(1);
        string[] who = ["Tom", "Lily", "The dog", "A bird"], does = ["ran to", "saw", "liked", "sat near"], what = ["the tree", "a ball", "the park", "his mom"];
        File.WriteAllLines(path, Enumerable.Range(0, 300).Select(_ => new JsonObject
        {
            ["text"] = string.Join(' ', Enumerable.Range(0, 12).Select(_ => $"{who[random.Next(4)]} {does[random.Next(4)]} {what[random.Next(4)]}.")),
        }.ToJsonString()));
        return path;
    }
}
