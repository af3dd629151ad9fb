using System.Text.Json.Nodes;
using Skiff.Cli;
using Skiff.Inference;
using Skiff.Models;
using Skiff.Tensors;
using Skiff.Tests.Models;

namespace Skiff.Tests.Inference;

public sealed class ImportanceMatrixTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    // By definition, from the plain decoder: what comes into the first block's query is the normed embedding.
    [Fact]
    public void TheFirstMatrixSeesTheNormedEmbeddings()
    {
        Model model = Create("llama");
        string text = Text(300);
        ImportanceMatrix matrix = ImportanceCollector.Collect(model, text, stop: TestContext.Current.CancellationToken);
        int chunk = model.Config.MaxPositionEmbeddings;
        int[] ids = model.Tokenizer.Encode(File.ReadAllText(text) + "\n");
        int count = ids.Length / chunk * chunk;
        Assert.Equal((64, count), (chunk, matrix.Tokens));
        double[] squares = new double[model.Config.HiddenSize];
        float[] row = new float[squares.Length];
        for (int i = 0; i < count; i++)
        {
            model.Parameter("embedding.weight").ReadRow(i % chunk == 0 && model.Tokenizer.BosId is { } begin && ids[0] == begin ? begin : ids[i], row);
            double norm = row.Sum(v => (double)v * v) / row.Length + model.Config.Norm.Epsilon;
            for (int k = 0; k < row.Length; k++)
                squares[k] += row[k] * row[k] / norm;
        }

        float[] weights = matrix.WeightsOf(ParameterList.Of(model.Config).Single(p => p.Name == "layers.0.query.weight"));
        double mean = squares.Average();
        for (int k = 0; k < weights.Length; k++)
            Assert.Equal(squares[k] / mean + 1e-4, weights[k], 1e-3);
        Assert.Empty(matrix.WeightsOf(ParameterList.Of(model.Config).Single(p => p.Name == "embedding.weight")));
    }

    [Theory]
    [InlineData("llama")]
    [InlineData("mixtral")]
    [InlineData("phi3")]
    public void AFileGivesTheSameModelAsTheText(string family)
    {
        Model model = Create(family);
        ModelWriter.Write(model, _folder.File("model"));
        string text = Text(2000), matrix = _folder.File("m.gguf");
        Run(0, "quantize", _folder.File("model"), _folder.File("a.gguf"), "--type", "q4_0", "--imatrix-text", text, "--imatrix-out", matrix);
        Run(0, "quantize", _folder.File("model"), _folder.File("b.gguf"), "--type", "q4_0", "--imatrix", matrix);
        Run(0, "quantize", _folder.File("model"), _folder.File("plain.gguf"), "--type", "q4_0");
        Assert.True(File.ReadAllBytes(_folder.File("a.gguf")).AsSpan().SequenceEqual(File.ReadAllBytes(_folder.File("b.gguf"))));
        GgufFile plain = GgufFile.Open(_folder.File("plain.gguf"));
        foreach ((string name, Tensor tensor) in GgufFile.Open(_folder.File("a.gguf")).Tensors.Where(t => t.Value.Shape.Count > 1))
            Assert.Equal(!(name.StartsWith("blk.", StringComparison.Ordinal) && tensor.Type.IsQuantized()), tensor.Bytes().SequenceEqual(plain.Tensors[name].Bytes()));

        // As llama.cpp's imatrix names and shapes it.
        GgufFile file = GgufFile.Open(matrix);
        Assert.Equal("imatrix", file.Metadata.String("general.type"));
        Assert.Equal(64, file.Metadata.Int("imatrix.chunk_size"));
        Assert.Equal(["text.txt"], file.Metadata.Array<string>("imatrix.datasets"));
        string up = family == "mixtral" ? "blk.1.ffn_up_exps.weight" : "blk.1.ffn_up.weight";
        long experts = family == "mixtral" ? model.Config.NumLocalExperts : 1;
        Assert.Equal([experts, model.Config.HiddenSize], file.Tensors[up + ".in_sum2"].Shape);
        Assert.Equal([experts, 1], file.Tensors[up + ".counts"].Shape);
        Assert.Equal(family == "phi3", file.Tensors.ContainsKey("blk.0.attn_qkv.weight.in_sum2"));
        long tokens = (long)file.Tensors["blk.0.attn_output.weight.counts"].Floats()[0];
        Assert.Equal(tokens * (family == "mixtral" ? model.Config.NumExpertsPerTok : 1), (long)file.Tensors[up + ".counts"].Floats().ToArray().Sum());
    }

    [Fact]
    public void WhatCannotServeIsOneLineAndNothingIsWritten()
    {
        Model model = Create("llama");
        ModelWriter.Write(model, _folder.File("model"));
        string text = Text(2000), matrix = _folder.File("m.gguf"), other = _folder.File("other.gguf"), out1 = _folder.File("out.gguf");
        ImportanceCollector.Collect(model, text, stop: TestContext.Current.CancellationToken).Write(matrix, model.Config, "text.txt", 64);
        Model deep = Create("llama", json => json["num_hidden_layers"] = 3), wide = Create("llama", json => json["intermediate_size"] = 160);
        ModelWriter.Write(deep, _folder.File("deep"));
        ModelWriter.Write(wide, _folder.File("wide"));
        File.WriteAllText(_folder.File("short.txt"), "too short");
        File.WriteAllBytes(_folder.File("binary.txt"), [.. Enumerable.Repeat((byte)0xFF, 3000)]);
        Model broken = new("broken", model.Config, name => name == "layers.1.up.weight" ? Infinite(model.Parameter(name)) : model.Parameter(name), model.TypeOf, () => model.Tokenizer, TensorType.F32);
        ModelWriter.Write(broken, _folder.File("broken"));

        Refused("too few for an importance matrix", "model", "--imatrix-text", _folder.File("short.txt"));
        Refused("UTF-8", "model", "--imatrix-text", _folder.File("binary.txt"));
        Refused("blk.2.", "deep", "--imatrix", matrix);
        Refused("of another model", "wide", "--imatrix", matrix);
        Refused("no finite number", "broken", "--imatrix-text", text);
        ModelWriter.Write(model, other);
        Refused("no importance matrix", "model", "--imatrix", other);
        Refused("not found", "model", "--imatrix", _folder.File("absent.gguf"));
        Assert.Contains("exclude each other", Run(2, "quantize", _folder.File("model"), out1, "--type", "q4_0", "--imatrix", matrix, "--imatrix-text", text));
        Assert.Contains("needs --imatrix-text", Run(2, "quantize", _folder.File("model"), out1, "--type", "q4_0", "--imatrix-out", matrix));

        void Refused(string problem, string name, params string[] flags)
        {
            string error = Run(1, ["quantize", _folder.File(name), out1, "--type", "q4_0", .. flags]);
            Assert.Contains(problem, error);
            Assert.Equal(1, error.Count(c => c == '\n'));
            Assert.False(File.Exists(out1));
        }
    }

    private static Tensor Infinite(Tensor tensor)
    {
        float[] values = [.. tensor.Floats()];
        values[3] = float.PositiveInfinity;
        return Tensor.FromFloats(values, [.. tensor.Shape]);
    }

    private string Text(int words)
    {
        Random random = new(1);
        string path = _folder.File("text.txt");
        File.WriteAllText(path, string.Join(' ', Enumerable.Range(0, words).Select(_ => $"word{random.Next(900)}")));
        return path;
    }

    private static Model Create(string family, Action<JsonObject>? change = null)
    {
        JsonObject json = (JsonObject)GoldenModel.Read(family).ConfigJson.DeepClone();
        (json["vocab_size"], json["hidden_size"], json["intermediate_size"], json["initializer_range"]) = (300, 64, 96, 0.2);
        change?.Invoke(json);
        return RandomModel.Create(family, ModelConfig.Parse(json, family), seed: 5, TensorType.F32);
    }

    private static string Run(int expected, params string[] args)
    {
        StringWriter output = new() { NewLine = "\n" }, error = new() { NewLine = "\n" };
        int code = Program.Run(args, output, error, TestContext.Current.CancellationToken);
        Assert.True(code == expected, error.ToString());
        return error.ToString();
    }
}
