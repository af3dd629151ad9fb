using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Cli;

/// <summary><c>skiff info</c>: what a model is and what it takes.</summary>
internal static class InfoVerb
{
    public static Verb Create()
    {
        Argument<string> model = new("MODEL") { Description = "A model folder, a .gguf or llama2.c .bin file, a config.json, or zoo:NAME." };
        Option<bool> json = Flags.Json();
        Option<bool> tensors = new("--tensors") { Description = "List every parameter with its shape and number type." };
        Verb verb = new("info", "Show a model's architecture, parameters and memory.")
        {
            Examples = ["skiff info zoo:qwen2.5-0.5b", "skiff info model.gguf --tensors"],
        };
        verb.Arguments.Add(model);
        verb.Options.Add(json);
        verb.Options.Add(tensors);
        return verb.Runs((parse, _) =>
        {
            string path = parse.GetValue(model)!;
            TextWriter output = parse.InvocationConfiguration.Output;
            ModelConfig config = Model.OpenConfig(path);
            bool weights = !path.StartsWith(Zoo.Prefix, StringComparison.OrdinalIgnoreCase) && (File.Exists(path) && !path.EndsWith(".json", StringComparison.Ordinal)
                || Directory.EnumerateFileSystemEntries(Directory.Exists(path) ? path : Path.GetDirectoryName(Path.GetFullPath(path))!, "*.safetensors").Any());
            Model? opened = weights ? Model.Open(path) : null;
            if (parse.GetValue(json))
            {
                Output.Json(output, writer =>
                {
                    writer.WriteString("model", path);
                    WriteFigures(writer, config);
                    if (opened is not null)
                        writer.WriteString("type", opened.Type.Name());
                    if (parse.GetValue(tensors))
                        WriteParameters(writer, config, opened);
                });
                return Program.Success;
            }

            Output.Table(output, ["", path], [.. Facts(config, opened)]);
            if (parse.GetValue(tensors))
            {
                output.WriteLine();
                Output.Table(output, ["parameter", "shape>", "values>", "type"],
                    [.. ParameterList.Of(config).Select(p => new[] { p.Name, string.Join(" x ", p.Shape), ZooVerb.Number(p.Count), opened?.TypeOf(p.Name).Name() ?? "" })]);
            }

            return Program.Success;
        });
    }

    /// <summary>The figures of an architecture, as members of an open object.</summary>
    internal static void WriteFigures(Utf8JsonWriter writer, ModelConfig config)
    {
        writer.WriteString("model_type", config.ModelType);
        writer.WriteNumber("parameters", config.ParameterCount);
        writer.WriteNumber("parameters_non_embedding", config.NonEmbeddingParameterCount);
        writer.WriteNumber("layers", config.NumHiddenLayers);
        writer.WriteNumber("hidden_size", config.HiddenSize);
        WriteList(writer, "heads", config.Layers.Select(l => l.Heads));
        WriteList(writer, "kv_heads", config.Layers.Select(l => l.KeyValueHeads));
        writer.WriteNumber("head_dim", config.HeadDim);
        WriteList(writer, "intermediate_size", config.Layers.Select(l => l.IntermediateSize));
        writer.WriteNumber("vocab_size", config.VocabSize);
        writer.WriteNumber("max_position_embeddings", config.MaxPositionEmbeddings);
        writer.WriteBoolean("tie_word_embeddings", config.TieWordEmbeddings);
        writer.WriteNumber("kv_bytes_per_token_fp16", 2 * config.CacheValuesPerToken);
    }

    private static void WriteList(Utf8JsonWriter writer, string name, IEnumerable<int> values)
    {
        if (values.Distinct().Count() == 1)
        {
            writer.WriteNumber(name, values.First());
            return;
        }

        writer.WriteStartArray(name);
        foreach (int value in values)
            writer.WriteNumberValue(value);
        writer.WriteEndArray();
    }

    private static void WriteParameters(Utf8JsonWriter writer, ModelConfig config, Model? model)
    {
        writer.WriteStartArray("tensors");
        foreach (Parameter parameter in ParameterList.Of(config))
        {
            writer.WriteStartObject();
            writer.WriteString("name", parameter.Name);
            writer.WriteStartArray("shape");
            foreach (long size in parameter.Shape)
                writer.WriteNumberValue(size);
            writer.WriteEndArray();
            if (model is not null)
                writer.WriteString("type", model.TypeOf(parameter.Name).Name());
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
    }

    private static IEnumerable<string[]> Facts(ModelConfig config, Model? model)
    {
        yield return ["family", config.ModelType];
        yield return ["parameters", $"{ZooVerb.Number(config.ParameterCount)} ({ZooVerb.Number(config.NonEmbeddingParameterCount)} without embeddings)"];
        yield return ["layers", ZooVerb.Number(config.NumHiddenLayers)];
        yield return ["hidden size", ZooVerb.Number(config.HiddenSize)];
        yield return ["attention", Attention(config)];
        yield return ["positions", Positions(config)];
        yield return ["feed-forward", FeedForward(config)];
        yield return ["norm", $"{(config.Norm.Rms ? "RMSNorm" : "LayerNorm")}, {config.NormPlacement switch
        {
            NormPlacement.Before => config.UseParallelResidual ? "before parallel branches" : "before each branch",
            NormPlacement.AfterBranch => "after each branch",
            NormPlacement.Both => "before and after each branch",
            _ => "after each residual",
        }}"];
        yield return ["vocabulary", $"{ZooVerb.Number(config.VocabSize)}, {(config.TieWordEmbeddings ? "head tied to the embedding" : "head of its own")}"];
        yield return ["context", ZooVerb.Number(config.MaxPositionEmbeddings)];
        yield return ["cache per token", $"{Bytes(2 * config.CacheValuesPerToken)} in half precision"];
        yield return ["memory of weights", string.Join(", ", new[] { TensorType.F32, TensorType.F16, TensorType.Q8_0, TensorType.Q4_0 }
            .Select(t => $"{Bytes(config.ParameterCount / t.BlockLength() * t.BlockBytes())} {t.Name()}"))];
        if (model is not null)
            yield return ["stored as", model.Type.Name()];
    }

    private static string Attention(ModelConfig config)
    {
        LayerConfig layer = config.Layers.FirstOrDefault(l => l.Kind == LayerKind.Attention) ?? config.Layers[0];
        string kind = config.Latent is not null ? "MLA" : layer.KeyValueHeads == layer.Heads ? "MHA" : layer.KeyValueHeads == 1 ? "MQA" : "GQA";
        string heads = $"{ZooVerb.Range(config.Layers.Select(l => l.Heads))} heads, {ZooVerb.Range(config.Layers.Select(l => l.KeyValueHeads))} for keys and values, {config.HeadDim} wide";
        int sliding = config.Layers.Count(l => l.SlidingWindow > 0), recurrent = config.Layers.Count(l => l.Kind == LayerKind.Recurrent);
        return $"{kind}: {heads}" + (sliding > 0 ? $"; {sliding} layers with a window of {ZooVerb.Number(config.Layers.Max(l => l.SlidingWindow))}" : "")
            + (recurrent > 0 ? $"; {recurrent} layers recurrent instead" : "");
    }

    private static string Positions(ModelConfig config)
    {
        if (config.Layers.Select(l => l.Rope).FirstOrDefault(r => r is not null) is not { } rope || config.Position != PositionKind.Rotary)
            return config.Position switch { PositionKind.Alibi => "ALiBi", PositionKind.Learned => "learned", _ => "none" };
        string share = rope.RotaryDim == config.HeadDim ? "" : $" on {rope.RotaryDim} of {config.HeadDim} values";
        return $"rotary{share}, base {string.Join(" and ", config.Layers.Select(l => l.Rope?.Theta).Distinct().Where(t => t is not null).Select(t => t!.Value.ToString(CultureInfo.InvariantCulture)))}"
            + (rope.Scaling == RopeScaling.None ? "" : $", {rope.Scaling} scaling");
    }

    private static string FeedForward(ModelConfig config)
    {
        string width = $"{(config.Gated ? "gated" : "plain")} {config.HiddenAct.ToString().ToLowerInvariant()}, {ZooVerb.Range(config.Layers.Select(l => l.IntermediateSize))} wide";
        return config.NumLocalExperts > 0 ? $"{config.NumLocalExperts} experts, {config.NumExpertsPerTok} per token, each {width}" : width;
    }

    private static string Bytes(double bytes) => bytes switch
    {
        >= 1 << 30 => string.Create(CultureInfo.InvariantCulture, $"{bytes / (1 << 30):0.00} GiB"),
        >= 1 << 20 => string.Create(CultureInfo.InvariantCulture, $"{bytes / (1 << 20):0.0} MiB"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1024:0.0} KiB"),
    };
}
