using System.Text.Json;

namespace Skiff.Tests.EndToEnd;

public sealed class BenchTrainTests
{
    [Fact]
    public void FiguresStandUnderTheirNames()
    {
        (int code, string output, string error) = CommandLine.Run("bench", "train", "-o", "json", "--rounds", "1", "--batch-size", "1");
        Assert.True(code == 0, error);
        JsonElement json = JsonDocument.Parse(output).RootElement;
        Assert.True(json.GetProperty("peak_gflops").GetDouble() > 0);
        Assert.Equal(30, json.GetProperty("gemm").GetArrayLength());
        foreach (JsonElement product in json.GetProperty("gemm").EnumerateArray())
        {
            Assert.Equal(3, product.GetProperty("shape").GetArrayLength());
            Assert.True(product.GetProperty("share").GetDouble() > 0);
        }

        JsonElement[] steps = [.. json.GetProperty("steps").EnumerateArray()];
        Assert.Equal<long>([9_703_680, 34_611_712], steps.Select(step => step.GetProperty("params").GetInt64()));
        foreach (JsonElement step in steps)
        {
            foreach (string field in new[] { "tokens_per_second", "gflops_6n", "share_of_peak", "peak_rss_mb" })
                Assert.True(step.GetProperty(field).GetDouble() > 0, field);
            Assert.InRange(step.GetProperty("operations").EnumerateArray().Sum(o => o.GetProperty("share_of_time").GetDouble()), 0.3, 1);
        }
    }
}
