using System.Text;
using System.Text.Json.Nodes;
using Skiff.Fuzz;
using Skiff.Models;
using Skiff.Tensors;
using Skiff.Tests.Fuzzing;

namespace Skiff.Tests.Models.Configuration;

public sealed class ConfigFuzzTests
{
    private static readonly string[] StrangeValues =
    [
        "0", "-1", "1", "2", "3", "7", "512", "1024", "65536", "268435456", "2147483648", "0.5", "1e-30", "1e29", "null", "true", "[]", "[1, 2]", "{}", "\"x\"",
        "\"yarn\"",
    ];

    [Fact]
    public void MutatedFilesNeverCrash()
    {
        IEnumerable<JsonObject> own = Zoo.Entries.Where(e => e.Config.ModelType is "skiff" or "mobillama").Select(e => e.ConfigJson);
        byte[][] seeds = [.. PublishedConfig.All.Select(c => c.Bytes), .. own.Select(json => Encoding.UTF8.GetBytes(json.ToJsonString()))];
        Mutation.Check(seeds, FuzzTargets.All["config.json"]);
    }

    // Files that stay JSON, with sizes that meet in unforeseen ways.
    [Fact]
    public void StrangeSizesNeverCrashNorTakeMuchMemory()
    {
        Random random = new(2);
        foreach (PublishedConfig seed in PublishedConfig.All)
        {
            for (int n = 0; n < 300; n++)
                Survives(Strange(seed, random));
        }
    }

    private static JsonObject Strange(PublishedConfig seed, Random random)
    {
        JsonObject json = JsonNode.Parse(seed.Json)!.AsObject();
        string[] keys = [.. json.Select(k => k.Key)];
        for (int edits = 1 + random.Next(4); edits > 0; edits--)
            json[keys[random.Next(keys.Length)]] = JsonNode.Parse(StrangeValues[random.Next(StrangeValues.Length)]);
        return json;
    }

    private static void Survives(JsonObject json)
    {
        byte[] input = Encoding.UTF8.GetBytes(json.ToJsonString());
        long before = GC.GetAllocatedBytesForCurrentThread();
        try
        {
            FuzzTargets.All["config.json"](input);
        }
        catch (InvalidInputException refusal)
        {
            Assert.DoesNotContain('\n', refusal.Message);
        }
        catch (Exception crash)
        {
            Assert.Fail($"{json.ToJsonString()}: {crash}");
        }

        long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        Assert.True(allocated < 16 << 20, $"{json.ToJsonString()}: {allocated} bytes");
    }
}
