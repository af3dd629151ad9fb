using System.Text.Json.Nodes;
using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>Opens every form a model comes in.</summary>
internal static class ModelReader
{
    private static readonly string[] TokenizerFiles = ["tokenizer.json", "vocab.json", "tokenizer.model"];

    public static Model Open(string path, string? tokenizer)
    {
        if (path.StartsWith(Zoo.Prefix, StringComparison.OrdinalIgnoreCase))
            return RandomModel.Create(path, Zoo.Find(path).Config, seed: 0, TensorType.F32);
        if (Directory.Exists(path))
            return OpenFolder(path, tokenizer);
        if (!File.Exists(path))
            throw new InvalidInputException(path, "model", "not found; a model is a folder with config.json, a .gguf file or a llama2.c .bin file");
        return IsGguf(path) ? OpenGguf(path, tokenizer)
            : path.EndsWith(".safetensors", StringComparison.OrdinalIgnoreCase)
                ? throw new InvalidInputException(path, "model", "name the folder that holds it together with config.json")
                : OpenLlama2c(path, tokenizer);
    }

    public static ModelConfig OpenConfig(string path)
    {
        if (path.StartsWith(Zoo.Prefix, StringComparison.OrdinalIgnoreCase))
            return Zoo.Find(path).Config;
        if (Directory.Exists(path))
            return ReadConfig(path);
        if (System.IO.Path.GetFileName(path) == "config.json" && File.Exists(path))
            return ReadConfig(System.IO.Path.GetDirectoryName(System.IO.Path.GetFullPath(path))!);
        return Open(path, null).Config;
    }

    private static ModelConfig ReadConfig(string folder)
    {
        string file = System.IO.Path.Combine(folder, "config.json");
        JsonObject json = ReadObject(file) ?? throw new InvalidInputException(folder, "config.json", "not found; this is no model folder");
        return ModelConfig.Parse(json, file);
    }

    private static JsonObject? ReadObject(string file)
    {
        if (!File.Exists(file))
            return null;
        using MappedFile mapped = MappedFile.Open(file);
        if (mapped.Length > 16 << 20)
            throw new InvalidInputException(file, "file", "is over 16 MiB; no such file is");
        return ConfigReader.ParseObject(mapped.Span(0, (int)mapped.Length), file);
    }

    // Chat models end a turn with one token and a text with another.
    private static JsonArray EndIds(GgufMetadata metadata)
    {
        JsonArray ids = [];
        foreach (string key in new[] { "tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id" })
        {
            if (metadata.TryGet(key, out long id) && id <= int.MaxValue)
                ids.Add((int)id);
        }

        return ids;
    }

    private static Model OpenFolder(string folder, string? tokenizer)
    {
        ModelConfig config = ReadConfig(folder);
        SafetensorsFile file = SafetensorsFile.Open(folder);
        ParameterStore store = ParameterStore.Of(config.Family.Tensors.Layout(config), file.Tensors, config.Family.Tensors, folder);
        string? own = TokenizerFiles.Any(name => File.Exists(System.IO.Path.Combine(folder, name))) ? folder : null;
        return new Model(folder, config, name => store[name], store.TypeOf, () => Load(tokenizer ?? own), MostCommonType(file.Tensors))
        {
            Forget = store.Forget,
            Generation = ReadObject(System.IO.Path.Combine(folder, "generation_config.json")),
        };
    }

    private static Model OpenGguf(string path, string? tokenizer)
    {
        GgufFile file = GgufFile.Open(path);
        if (file.Tensors.Count == 0)
            throw new InvalidInputException(path, "tensors", "the file holds a vocabulary only; use it as a tokenizer");
        ModelConfig config = GgufConfigReader.Read(file.Metadata, file.Tensors.ToDictionary(t => t.Key, t => TensorEntry.Of(t.Key, t.Value)), path);
        ParameterStore store = ParameterStore.Of(GgufLayout.Of(config, file.Tensors.ContainsKey), file.Tensors, GgufLayout.Names, path);
        return new Model(path, config, name => store[name], store.TypeOf,
            () => tokenizer is not null ? Tokenizer.Load(tokenizer) : file.Metadata.Contains("tokenizer.ggml.tokens") ? Tokenizer.FromGguf(file.Metadata, path) : null,
            MostCommonType(file.Tensors))
        {
            Forget = store.Forget,
            Generation = new JsonObject { ["eos_token_id"] = EndIds(file.Metadata) },
        };
    }

    private static Model OpenLlama2c(string path, string? tokenizer)
    {
        Llama2cFile file = Llama2cFile.Open(path);
        ModelConfig config = ModelConfig.Parse(Llama2cTensors.ConfigOf(file.Header), path);
        ParameterStore store = ParameterStore.Of(Llama2cTensors.Layout(config), file.Tensors, Llama2cTensors.Names, path);
        return new Model(path, config, name => store[name], store.TypeOf, () => Load(tokenizer ?? BesideLlama2c(path, config)), TensorType.F32) { Forget = store.Forget };
    }

    // llama2.c keeps the tokenizer in a file of its own, with no fixed name: the one beside it that fits is taken.
    private static string? BesideLlama2c(string path, ModelConfig config)
    {
        string folder = System.IO.Path.GetDirectoryName(System.IO.Path.GetFullPath(path))!;
        IEnumerable<string> candidates = ((string[])[$"tok{config.VocabSize}.bin", "tokenizer.bin", $"tok{config.VocabSize}.model", "tokenizer.model", "tokenizer.json"])
            .Select(name => System.IO.Path.Combine(folder, name));
        return candidates.FirstOrDefault(File.Exists);
    }

    private static Tokenizer? Load(string? path) => path is null ? null : Tokenizer.Load(path);

    private static bool IsGguf(string path)
    {
        using FileStream stream = File.OpenRead(path);
        Span<byte> magic = stackalloc byte[4];
        return stream.ReadAtLeast(magic, 4, throwOnEndOfStream: false) == 4 && magic.SequenceEqual("GGUF"u8);
    }

    private static TensorType MostCommonType(IReadOnlyDictionary<string, Tensor> tensors) =>
        tensors.Values.Where(t => t.Shape.Count > 1).GroupBy(t => t.Type).OrderByDescending(g => g.Sum(t => t.Count)).FirstOrDefault()?.Key ?? TensorType.F32;
}
