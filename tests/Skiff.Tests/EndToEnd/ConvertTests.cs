using System.Text.Json;
using Skiff.Models;
using Skiff.Tensors;
using Skiff.Tests.Models;

namespace Skiff.Tests.EndToEnd;

/// <summary>The verbs init and convert, as a shell calls them.</summary>
public sealed class ConvertTests : IDisposable
{
    private const string TinyConfig = """
        {
          "model_type": "qwen3", "vocab_size": 320, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "head_dim": 16,
          "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 128, "tie_word_embeddings": true
        }
        """;

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    // One of each way of naming, fusing, transposing, stacking and ordering tensors.
    [Theory]
    [InlineData("llama_bias")]
    [InlineData("qwen3")]
    [InlineData("gpt2")]
    [InlineData("gpt_neox_sequential")]
    [InlineData("bloom_6heads")]
    [InlineData("mixtral")]
    [InlineData("minicpm")]
    [InlineData("olmo2")]
    [InlineData("openelm")]
    [InlineData("phi")]
    [InlineData("phi3_partial_tied")]
    [InlineData("qwen")]
    [InlineData("stablelm_parallel_qkln")]
    [InlineData("opt_350m_style")]
    [InlineData("recurrent_gemma")]
    public void AFamilyKeepsEveryBitThroughGgufAndBack(string name)
    {
        GoldenModel golden = GoldenModel.Read(name);
        string first = File("first"), gguf = File("model.gguf"), back = File("back");
        ModelWriter.Write(golden.Open(), first);
        CommandLine.Output("convert", first, gguf);
        CommandLine.Output("convert", gguf, back);
        IReadOnlyDictionary<string, Tensor> wanted = SafetensorsFile.Open(first).Tensors, found = SafetensorsFile.Open(back).Tensors;
        Assert.Equal(golden.Shapes.Count, wanted.Count);
        Assert.Equal(wanted.Keys.Order(), found.Keys.Order());
        foreach ((string tensor, Tensor value) in wanted)
            Assert.True(value.Bytes().SequenceEqual(found[tensor].Bytes()), tensor);
    }

    [Fact]
    public void ScalesAreFoldedForFilesThatCannotSayThem()
    {
        Model golden = GoldenModel.Read("gpt2").Open();
        ModelWriter.Write(new Model("gpt2", ScaleKeys.Set(golden.Config, 12, 1.4, 8), golden.Parameter, golden.TypeOf, () => null, TensorType.F32), File("scaled"));
        (int code, _, string error) = CommandLine.Run("convert", File("scaled"), File("model.gguf"));
        Assert.Equal((1, $"skiff: {File("model.gguf")}: EmbeddingScale: GGUF cannot express this trait of gpt2; convert with --fold-scales, which works it into the weights\n"), (code, error));
        CommandLine.Output("convert", File("scaled"), File("model.gguf"), "--fold-scales");
        CommandLine.Output("convert", File("scaled"), File("plain"), "--fold-scales");
        Assert.Equal((1, 1, 1), Scales(File("model.gguf")));
        Assert.Equal((1, 1, 1), Scales(File("plain")));
        Assert.Equal(Enumerable.Range(0, 4).Select(i => 12 * golden.Parameter("embedding.weight").Floats()[i]), Model.Open(File("plain")).Parameter("embedding.weight").Floats()[..4].ToArray());

        static (double, double, double) Scales(string path) => Model.OpenConfig(path) is var c ? (c.EmbeddingScale, c.ResidualScale, c.LogitScale) : default;
    }

    [Fact]
    public void TheSameSeedGivesTheSameModelInEveryForm()
    {
        string config = Tiny();
        CommandLine.Output("init", config, File("a"), "--seed", "5");
        CommandLine.Output("init", config, File("b"), "--seed", "5");
        CommandLine.Output("init", config, File("c"), "--seed", "6");
        CommandLine.Output("init", config, File("a.gguf"), "--seed", "5");
        CommandLine.Output("init", config, File("b.gguf"), "--seed", "5");
        Assert.Equal(Bytes("a", "model.safetensors"), Bytes("b", "model.safetensors"));
        Assert.NotEqual(Bytes("a", "model.safetensors"), Bytes("c", "model.safetensors"));
        Assert.Equal(Bytes("a.gguf"), Bytes("b.gguf"));
        Model folder = Model.Open(File("a")), gguf = Model.Open(File("a.gguf"));
        foreach (Parameter parameter in ParameterList.Of(folder.Config))
            Assert.True(folder.Parameter(parameter.Name).Bytes().SequenceEqual(gguf.Parameter(parameter.Name).Bytes()), parameter.Name);
        Assert.Equal(folder.Tokenizer.Encode("Once upon a time"), gguf.Tokenizer.Encode("Once upon a time"));
        Assert.Equal(320, folder.Tokenizer.VocabularySize);
    }

    [Fact]
    public void TheNumbersAreTheSeedsForEver()
    {
        CommandLine.Output("init", Tiny(), File("a"), "--seed", "5");
        float[] row = new float[32];
        Tensor embedding = Model.Open(File("a")).Parameter("embedding.weight");
        embedding.ReadRow(0, row);
        double mean = 0, square = 0;
        for (int r = 0; r < 320; r++)
        {
            embedding.ReadRow(r, row);
            mean += row.Sum() / 320 / 32;
            square += row.Sum(v => (double)v * v) / 320 / 32;
        }

        Assert.InRange(mean, -0.001, 0.001);
        Assert.InRange(Math.Sqrt(square), 0.0195, 0.0205);
        Assert.Equal(Splitmix("embedding.weight", 5, 319, 3), row[3]);
        Assert.Equal(Splitmix("embedding.weight", 5, 319, 31), row[31]);
    }

    [Fact]
    public void AStoppedWriteLeavesTheOldModelAndNothingElse()
    {
        string config = Tiny();
        foreach (string place in new[] { "old", "old.gguf" })
        {
            CommandLine.Output("init", config, File(place), "--seed", "1");
            string[] before = Snapshot();
            (int code, _, string error) = CommandLine.RunInterrupted("init", config, File(place), "--seed", "2");
            Assert.Equal((130, "skiff: stopped\n"), (code, error));
            (code, _, _) = CommandLine.RunInterrupted("init", config, File("new-" + place));
            Assert.Equal(130, code);
            Assert.Equal(before, Snapshot());
        }
    }

    [Fact]
    public void AFailedWriteLeavesTheOldModelAndNothingElse()
    {
        CommandLine.Output("init", Tiny(), File("old"));
        Model model = Model.Open(File("old"));
        CommandLine.Output("convert", File("old"), File("old.gguf"));
        string[] before = Snapshot();
        foreach (string place in new[] { "old", "old.gguf", "new", "new.gguf" })
        {
            int tensors = 0;
            Assert.Throws<FormatException>(() => ModelWriter.Write(model, File(place), TensorType.F16, _ => _ = ++tensors == 5 ? throw new FormatException() : 0));
            Assert.Equal(before, Snapshot());
        }
    }

    [Fact]
    public void AnExistingFolderKeepsItsOtherFilesAndLosesItsOldWeights()
    {
        CommandLine.Output("init", Tiny(), File("model"), "--seed", "1");
        System.IO.File.WriteAllText(Path.Combine(File("model"), "notes.txt"), "mine");
        System.IO.File.WriteAllText(Path.Combine(File("model"), "model-00001-of-00002.safetensors"), "");
        CommandLine.Output("init", Tiny(), File("model"), "--seed", "2", "--type", "f16");
        Assert.Equal("mine", System.IO.File.ReadAllText(Path.Combine(File("model"), "notes.txt")));
        Assert.False(System.IO.File.Exists(Path.Combine(File("model"), "model-00001-of-00002.safetensors")));
        Assert.Equal(TensorType.F16, Model.Open(File("model")).Type);
    }

    [Fact]
    public void AModelIsNotConvertedOntoItself()
    {
        CommandLine.Output("init", Tiny(), File("model"));
        CommandLine.Output("init", Tiny(), File("model.gguf"));
        string[] before = Snapshot();
        foreach ((string source, string target) in new[] { ("model", "model"), ("model", "model/"), ("model/.", "model"), ("model.gguf", "./model.gguf") })
        {
            (int code, _, string error) = CommandLine.Run("convert", File(source), File(target), "--type", "f16");
            Assert.Equal(1, code);
            Assert.Contains("is the model itself", error);
        }

        Assert.Equal(before, Snapshot());
    }

    [Fact]
    public void AVocabularySmallerThanTheModelsIsFilledUpForLlamaCppAndEmptiedAgain()
    {
        CommandLine.Output("init", Tiny(), File("model"));
        Tokenizer smaller = ByteLevelTokenizer.Create(300);
        Directory.CreateDirectory(File("tokenizer"));
        smaller.Save(File("tokenizer"));
        CommandLine.Output("convert", File("model"), File("model.gguf"), "--tokenizer", File("tokenizer"));
        string[] tokens = GgufFile.Open(File("model.gguf")).Metadata.Array<string>("tokenizer.ggml.tokens");
        Assert.Equal((320, "[PAD319]"), (tokens.Length, tokens[^1]));
        Assert.Equal(300, Model.Open(File("model.gguf")).Tokenizer.VocabularySize);

        ByteLevelTokenizer.Create(321).Save(File("tokenizer"));
        (int code, _, string error) = CommandLine.Run("convert", File("model"), File("other.gguf"), "--tokenizer", File("tokenizer"));
        Assert.Equal(1, code);
        Assert.Contains("321 tokens for a model of 320", error);
        Assert.False(System.IO.File.Exists(File("other.gguf")));
    }

    [Fact]
    public void WhatOnlySkiffRunsIsTold()
    {
        ModelWriter.Write(GoldenModel.Read("opt").Open(), File("opt"));
        (int code, _, string error) = CommandLine.Run("convert", File("opt"), File("opt.gguf"));
        Assert.Equal((0, "skiff: note: llama.cpp has no 'opt'; only Skiff runs this file\n"), (code, error));
        JsonElement info = JsonSerializer.Deserialize<JsonElement>(CommandLine.Output("info", File("opt.gguf"), "--json"));
        Assert.Equal("opt", info.GetProperty("model_type").GetString());
    }

    private string File(string name) => _folder.File(name);

    private byte[] Bytes(params string[] parts) => System.IO.File.ReadAllBytes(Path.Combine([_folder.Path, .. parts]));

    private string Tiny()
    {
        System.IO.File.WriteAllText(File("config.json"), TinyConfig);
        return File("config.json");
    }

    // Every file and folder with its content.
    private string[] Snapshot() =>
    [
        .. Directory.EnumerateFileSystemEntries(_folder.Path, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal)
            .Select(path => path + (Directory.Exists(path) ? "" : " " + Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(System.IO.File.ReadAllBytes(path))))),
    ];

    // The published rule, one number at a time.
    private static float Splitmix(string name, int seed, long row, int index)
    {
        ulong hash = 0xcbf29ce484222325;
        foreach (char c in name)
            hash = (hash ^ c) * 0x100000001b3;
        ulong z = ((hash ^ (uint)seed) * 0x100000001b3 ^ (ulong)row * 0x9E3779B97F4A7C15) + (ulong)(index + 1) * 0x9E3779B97F4A7C15;
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
        z = (z ^ z >> 27) * 0x94D049BB133111EB;
        z ^= z >> 31;
        int sum = (int)((z & 0xFFFF) + (z >> 16 & 0xFFFF) + (z >> 32 & 0xFFFF) + (z >> 48));
        return (sum - 2 * 65535) * (0.02f / MathF.Sqrt(4 * 65536f * 65536f / 12));
    }
}
