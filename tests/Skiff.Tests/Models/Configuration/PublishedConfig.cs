using System.Text;
using Skiff.Models;

namespace Skiff.Tests.Models.Configuration;

/// <summary>A <c>config.json</c> with the keys and sizes that a published model has, and what must be understood of it.</summary>
/// <param name="Name">Of the model.</param>
/// <param name="Parameters">Its published number of parameters.</param>
/// <param name="Json">The text of the file.</param>
/// <param name="Traits">Asserts what is not plain from the sizes.</param>
internal sealed record PublishedConfig(string Name, long Parameters, string Json, Action<ModelConfig> Traits)
{
    public static IReadOnlyList<PublishedConfig> All { get; } =
        [.. LlamaConfigs.All, .. QwenConfigs.All, .. GemmaConfigs.All, .. GptConfigs.All, .. PhiConfigs.All, .. MiniCpmConfigs.All, .. OtherConfigs.All];

    public byte[] Bytes => Encoding.UTF8.GetBytes(Json);

    public ModelConfig Config => ModelConfig.Parse(Bytes, Name);

    public static PublishedConfig Named(string name) => All.Single(c => c.Name == name);

    /// <summary>A list of factors for each frequency, rising from 1 as the published ones do.</summary>
    public static string Factors(int count, double step) => "[" + string.Join(", ", Enumerable.Range(0, count).Select(i => FormattableString.Invariant($"{1 + i * step}"))) + "]";

    /// <summary>The list of block types with every <paramref name="period"/>-th block seeing everything.</summary>
    public static string LayerTypes(int count, int period) =>
        "[" + string.Join(", ", Enumerable.Range(1, count).Select(l => l % period == 0 ? "\"full_attention\"" : "\"sliding_attention\"")) + "]";
}
