using System.Globalization;
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Tests.Models;

public sealed class ZooTests
{
    [Fact]
    public void EveryRowOfTheTableIsAnArchitectureWithItsCount()
    {
        List<string> wrong = [];
        List<Dictionary<string, string>> rows = Rows();
        Assert.Equal(rows.Select(r => r["name"].ToLowerInvariant()), Zoo.Entries.Select(e => e.Name));
        foreach (Dictionary<string, string> row in rows)
        {
            ModelConfig config = Zoo.Find(row["name"]).Config;
            long expected = long.TryParse(row["params_total"], CultureInfo.InvariantCulture, out long value) ? value : 0;
            // The table leaves RecurrentGemma blank and notes the published total.
            if (row["name"] == "RecurrentGemma-2B")
                expected = 2_682_862_080;
            if (config.ParameterCount != expected)
                wrong.Add($"{row["name"]} ({row["count_check"]}): {config.ParameterCount} instead of {expected}, {config.ParameterCount - expected:+0;-0}");
            if (row["params_non_embedding"].Length > 0 && config.NonEmbeddingParameterCount != long.Parse(row["params_non_embedding"], CultureInfo.InvariantCulture))
                wrong.Add($"{row["name"]} non-embedding: {config.NonEmbeddingParameterCount} instead of {row["params_non_embedding"]}");
        }

        Assert.True(wrong.Count == 0, string.Join("\n", wrong));
    }

    [Fact]
    public void ShapesAgreeWithTheTable()
    {
        foreach (Dictionary<string, string> row in Rows())
        {
            ModelConfig config = Zoo.Find(row["name"]).Config;
            Assert.Equal(PerLayer(row["ffn"], config), config.Layers.Select(l => l.IntermediateSize));
            Assert.Equal(PerLayer(row["heads"], config), config.Layers.Select(l => l.Heads));
            Assert.Equal(PerLayer(row["kv_heads"], config), config.Layers.Select(l => l.KeyValueHeads));
            Assert.True(row["tied"] == "1" == config.TieWordEmbeddings, $"{row["name"]}: tied");
            Assert.True(row["ffn_type"] == "gated" == config.Gated, $"{row["name"]}: gated");
            if (!row["name"].StartsWith("Galactica", StringComparison.Ordinal))
                Assert.Equal(row["qkv_bias"] == "1", config.QkvBias);
            Assert.Equal(long.Parse(row["kv_bytes_per_token_fp16"], CultureInfo.InvariantCulture), 2 * config.CacheValuesPerToken);
        }
    }

    [Fact]
    public void AnUnknownNameSuggestsTheNearest()
    {
        InvalidInputException refusal = Assert.Throws<InvalidInputException>(() => Zoo.Find("zoo:qwen2.5-0.6b"));
        Assert.Contains("qwen2.5-0.5b", refusal.Message);
    }

    private static int[] PerLayer(string cell, ModelConfig config)
    {
        int[] values = [.. cell.Split(' ').Select(int.Parse)];
        return values.Length == 1 ? [.. Enumerable.Repeat(values[0], config.NumHiddenLayers)] : values;
    }

    private static List<Dictionary<string, string>> Rows()
    {
        string file = Path.Combine(Data.File(), "..", "reference", "slm-zoo.csv");
        Assert.SkipUnless(File.Exists(file), $"{file} is absent");
        string[][] lines = [.. File.ReadLines(file).Select(Cells)];
        return [.. lines.Skip(1).Select(line => lines[0].Zip(line).ToDictionary(c => c.First, c => c.Second))];
    }

    private static string[] Cells(string line)
    {
        List<string> cells = [""];
        bool quoted = false;
        foreach (char c in line)
        {
            if (c == '"')
                quoted = !quoted;
            else if (c == ',' && !quoted)
                cells.Add("");
            else
                cells[^1] += c;
        }

        return [.. cells];
    }
}
