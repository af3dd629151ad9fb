using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Skiff.Cli;
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Tests.Cli;

public sealed class BenchVerbTests : IDisposable
{
    private static readonly string[] s_fields =
    [
        "model_filename", "model_type", "model_size", "model_n_params", "n_batch", "n_threads", "isa", "type_k", "type_v", "n_prompt", "n_gen", "n_depth", "n_parallel", "test_time",
        "avg_ns", "stddev_ns", "avg_ts", "stddev_ts",
        "time_to_first_token", "peak_rss_bytes", "kv_bytes_per_token", "share_of_bandwidth", "share_of_peak", "bandwidth_gbps", "peak_gflops",
    ];

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void JsonIsOneArrayUnderLlamaBenchsNames()
    {
        string model = Write();
        (int code, string output, string error) = Run("bench", model, "-p", "4,6", "-n", "3", "-d", "0,2", "-t", "1", "-r", "2", "-b", "5", "-o", "json");
        Assert.True(code == 0, error);
        JsonElement[] rows = [.. JsonDocument.Parse(output).RootElement.EnumerateArray()];
        Assert.Equal(
            [(4, 0, 0), (6, 0, 0), (0, 3, 0), (4, 0, 2), (6, 0, 2), (0, 3, 2)],
            rows.Select(r => (r.GetProperty("n_prompt").GetInt32(), r.GetProperty("n_gen").GetInt32(), r.GetProperty("n_depth").GetInt32())));
        foreach (JsonElement row in rows)
        {
            Assert.Equal([.. s_fields, "samples_ns", "samples_ts"], row.EnumerateObject().Select(p => p.Name));
            Assert.Equal((model, 1, 5), (row.GetProperty("model_filename").GetString(), row.GetProperty("n_threads").GetInt32(), row.GetProperty("n_batch").GetInt32()));
            Assert.Equal(("llama 0.03M Q8_0", "i16", "i16"), (row.GetProperty("model_type").GetString(), row.GetProperty("type_k").GetString(), row.GetProperty("type_v").GetString()));
            double[] rates = [.. row.GetProperty("samples_ts").EnumerateArray().Select(v => v.GetDouble())];
            Assert.Equal(2, row.GetProperty("samples_ns").GetArrayLength());
            Assert.Equal(rates.Average(), row.GetProperty("avg_ts").GetDouble(), rates.Max() * 1e-9);
            Assert.Equal(row.GetProperty("n_prompt").GetInt32() > 0 ? JsonValueKind.Number : JsonValueKind.Null, row.GetProperty("time_to_first_token").ValueKind);
            Assert.Equal(row.GetProperty("n_gen").GetInt32() > 0 ? JsonValueKind.Number : JsonValueKind.Null, row.GetProperty("share_of_bandwidth").ValueKind);
            Assert.Matches(@"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$", row.GetProperty("test_time").GetString());
            Assert.True(row.GetProperty("peak_rss_bytes").GetInt64() > 0);
            Assert.True(row.GetProperty("peak_gflops").GetDouble() > 0 && row.GetProperty("bandwidth_gbps").GetDouble() > 0 && row.GetProperty("share_of_peak").GetDouble() > 0);
        }
    }

    [Fact]
    public void MarkdownAndCsvHoldARowEach()
    {
        string model = Write();
        (int code, string output, string error) = Run("bench", model, "-p", "4", "-n", "2", "-d", "3", "-t", "1,2", "-r", "1");
        Assert.True(code == 0, error);
        string[] lines = output.TrimEnd().Split('\n');
        Assert.Equal(["model", "size", "params", "threads", "test", "t/s", "first token", "of read", "of peak"], Cells(lines[0]));
        Assert.All(Cells(lines[1]), cell => Assert.Matches("^-+:?$", cell));
        Assert.Equal(["pp4 @ d3", "tg2 @ d3", "pp4 @ d3", "tg2 @ d3"], lines[2..].Select(line => Cells(line)[4]));
        Assert.Equal(["1", "1", "2", "2"], lines[2..].Select(line => Cells(line)[3]));
        Assert.All(lines[2..], line => Assert.Matches(@"^\d+\.\d\d ± 0\.00$", Cells(line)[5]));
        Assert.Single(lines.Select(line => line.Length).Distinct());

        (code, output, error) = Run("bench", model, "-p", "4", "-n", "0", "-t", "1", "-r", "1", "-o", "csv");
        Assert.True(code == 0, error);
        lines = output.TrimEnd().Split('\n');
        Assert.Equal(2, lines.Length);
        Assert.Equal(string.Join(',', s_fields), lines[0]);
        string[] values = [.. Regex.Matches(lines[1], "\"((?:[^\"]|\"\")*)\"(?:,|$)").Select(m => m.Groups[1].Value)];
        Assert.Equal(s_fields.Length, values.Length);
        Assert.Equal((model, "4", ""), (values[0], values[Array.IndexOf(s_fields, "n_prompt")], values[Array.IndexOf(s_fields, "share_of_bandwidth")]));
        Assert.True(double.Parse(values[Array.IndexOf(s_fields, "avg_ts")], CultureInfo.InvariantCulture) > 0);
    }

    [Fact]
    public void SequencesThatGenerateTogetherAreARowOfTheirOwn()
    {
        (int code, string output, string error) = Run("bench", Write(), "-p", "4", "-n", "3", "-d", "2", "-np", "1,8", "-t", "1", "-r", "2", "-o", "json");
        Assert.True(code == 0, error);
        JsonElement[] rows = [.. JsonDocument.Parse(output).RootElement.EnumerateArray()];
        Assert.Equal([(0, 1), (3, 1), (3, 8)], rows.Select(r => (r.GetProperty("n_gen").GetInt32(), r.GetProperty("n_parallel").GetInt32())));
        // Tokens of all sequences count.
        double[] times = [.. rows[2].GetProperty("samples_ns").EnumerateArray().Select(v => v.GetDouble())], rates = [.. rows[2].GetProperty("samples_ts").EnumerateArray().Select(v => v.GetDouble())];
        Assert.All(times.Zip(rates), sample => Assert.Equal(24e9 / sample.First, sample.Second, sample.Second * 1e-9));

        (code, output, error) = Run("bench", Write(), "-p", "0", "-n", "2", "--parallel", "3", "-t", "1", "-r", "1");
        Assert.True(code == 0, error);
        Assert.Equal("tg2 x3", Cells(output.TrimEnd().Split('\n')[2])[4]);
    }

    [Fact]
    public void MatricesAreConvertedFirstWhereAsked()
    {
        (int code, string output, string error) = Run("bench", Write(), "--type", "q4_0", "-p", "2", "-n", "0", "-t", "1", "-r", "1", "-o", "json");
        Assert.True(code == 0, error);
        JsonElement row = JsonDocument.Parse(output).RootElement[0];
        Assert.Equal("llama 0.03M Q4_0", row.GetProperty("model_type").GetString());
        Model model = Model.Open(Write()).ConvertTo(TensorType.Q4_0);
        long size = ParameterList.Of(model.Config).Sum(p => model.Parameter(p.Name).ByteLength);
        Assert.Equal(size, row.GetProperty("model_size").GetInt64());
    }

    [Fact]
    public void AConvertedModelHoldsWhatATensorWould()
    {
        Model model = Model.Open(Write());
        Model narrow = model.ConvertTo(TensorType.Q4_K);
        Assert.Equal(TensorType.Q4_K, narrow.Type);
        foreach (Parameter parameter in ParameterList.Of(model.Config))
        {
            // Rows of 32 and 64 fill no blocks of 256.
            TensorType type = parameter.IsMatrix ? TensorType.Q5_0 : TensorType.F32;
            Assert.Equal((type, type), (narrow.TypeOf(parameter.Name), narrow.Parameter(parameter.Name).Type));
            Assert.True(model.Parameter(parameter.Name).ConvertTo(type).Bytes().SequenceEqual(narrow.Parameter(parameter.Name).Bytes()), parameter.Name);
        }
    }

    [Theory]
    [InlineData(2, "bench: MODEL is missing", "bench")]
    [InlineData(2, "--n-prompt takes whole numbers from 0, separated by commas, not 'x'", "bench", "m", "-p", "4,x")]
    [InlineData(2, "--threads takes whole numbers from 1, separated by commas, not '0'", "bench", "m", "-t", "0")]
    [InlineData(2, "unknown option '--n-promt'; did you mean '--n-prompt'?", "bench", "m", "--n-promt", "4")]
    [InlineData(2, "'MODEL' stands before 'train', which takes no model", "bench", "MODEL", "train")]
    [InlineData(2, "'4' stands before 'train', which takes no model", "bench", "-p", "4", "train")]
    [InlineData(2, "--parallel takes whole numbers from 1, separated by commas, not '0'", "bench", "m", "-np", "0")]
    [InlineData(1, "n_parallel: must lie from 1 to 512, not 513", "bench", "MODEL", "-p", "0", "-n", "1", "-np", "513")]
    [InlineData(2, "--type takes one of", "bench", "m", "--type", "q9")]
    [InlineData(1, "are 0 alone", "bench", "MODEL", "-p", "0", "-n", "0")]
    [InlineData(1, "--repetitions: must be at least 1", "bench", "MODEL", "-r", "0")]
    [InlineData(1, "n_batch: must be at least 1", "bench", "MODEL", "-b", "0")]
    [InlineData(1, "n_threads: must lie from 1 to 1024", "bench", "MODEL", "-p", "4", "-n", "0", "-t", "2000")]
    [InlineData(1, "pp512: 512 positions are more than the model's context of 128", "bench", "MODEL")]
    [InlineData(1, "tg9 @ d120: 129 positions are more", "bench", "MODEL", "-p", "0", "-n", "9", "-d", "120")]
    [InlineData(1, "/no/such/model: model: not found", "bench", "/no/such/model")]
    public void WhatCannotBeDoneIsOneLine(int code, string problem, params string[] args)
    {
        string model = Write();
        (int found, string output, string error) = Run([.. args.Select(arg => arg == "MODEL" ? model : arg)]);
        Assert.Equal((code, ""), (found, output));
        Assert.Contains(problem.Replace("MODEL' stands", model + "' stands"), error);
        Assert.Equal(1, error.Count(c => c == '\n'));
    }

    private static string[] Cells(string line) => [.. line.Trim('|', '\r').Split('|').Select(cell => cell.Trim())];

    private static (int Code, string Output, string Error) Run(params string[] args)
    {
        StringWriter output = new() { NewLine = "\n" }, error = new() { NewLine = "\n" };
        int code = Program.Run(args, output, error, TestContext.Current.CancellationToken);
        return (code, output.ToString(), error.ToString());
    }

    private string Write()
    {
        string path = _folder.File("tiny.gguf");
        if (File.Exists(path))
            return path;
        JsonObject json = (JsonObject)JsonNode.Parse("""
            {"model_type": "llama", "vocab_size": 300, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 4,
             "num_key_value_heads": 2, "max_position_embeddings": 128, "tie_word_embeddings": false}
            """)!;
        ModelWriter.Write(RandomModel.Create("tiny", ModelConfig.Parse(json, "tiny"), seed: 3, TensorType.F32), path, TensorType.Q8_0);
        return path;
    }
}
