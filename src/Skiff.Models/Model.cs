using System.Text.Json.Nodes;
using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>
/// A model at hand: what it computes, its numbers, and its tokenizer, whatever file they came from. Numbers stay in the
/// mapped file until they are asked for.
/// </summary>
public sealed class Model
{
    private readonly Func<string, Tensor> _parameter;
    private readonly Func<string, TensorType> _typeOf;
    private readonly Lazy<Tokenizer?> _tokenizer;

    internal Model(string path, ModelConfig config, Func<string, Tensor> parameter, Func<string, TensorType> typeOf, Func<Tokenizer?> tokenizer, TensorType type)
    {
        Path = path;
        Config = config;
        Type = type;
        _parameter = parameter;
        _typeOf = typeOf;
        _tokenizer = new Lazy<Tokenizer?>(tokenizer);
    }

    /// <summary>The <c>generation_config.json</c> that came with it, or what a GGUF file says of the same; null without either.</summary>
    internal JsonObject? Generation { get; init; }

    /// <summary>
    /// The ids that end an answer: the tokenizer's end token and those of <c>generation_config.json</c> and
    /// <c>config.json</c>, which list several where a turn and a text end differently.
    /// </summary>
    public IReadOnlyList<int> EndIds => [.. Ids(Generation).Concat(Ids(Config.Source)).Concat(HasTokenizer && Tokenizer.EosId is { } end ? [end] : [])
        .Where(id => id >= 0 && id < Config.VocabSize).Distinct().Order()];

    private static IEnumerable<int> Ids(JsonObject? json) => json?["eos_token_id"] switch
    {
        JsonArray list => list.Select(Id).OfType<int>(),
        { } node => new[] { Id(node) }.OfType<int>(),
        null => [],
    };

    private static int? Id(JsonNode? node) => node is JsonValue value && value.TryGetValue(out int id) ? id : null;

    /// <summary>Lets go of what the system holds of the file in memory.</summary>
    internal Action Forget { get; init; } = () => { };

    /// <summary>Where it was opened.</summary>
    public string Path { get; }

    /// <summary>What it computes.</summary>
    public ModelConfig Config { get; }

    /// <summary>How most of its matrices are stored.</summary>
    public TensorType Type { get; }

    /// <summary>Turns text into ids and back; read when first asked for.</summary>
    /// <exception cref="InvalidInputException">The model comes with none.</exception>
    public Tokenizer Tokenizer => _tokenizer.Value
        ?? throw new InvalidInputException(Path, "tokenizer", "none beside the model; name one with --tokenizer (tokenizer.json, *.model, *.bin, *.gguf or a folder)");

    /// <summary>True if it comes with a tokenizer.</summary>
    public bool HasTokenizer => _tokenizer.Value is not null;

    /// <summary>The same with other numbers, which are stored as its own are.</summary>
    internal Model With(Func<string, Tensor> parameter) =>
        new(Path, Config, parameter, _typeOf, () => _tokenizer.Value, Type) { Generation = Generation, Forget = Forget };

    /// <summary>Another description with numbers for it, under the same tokenizer.</summary>
    internal Model With(ModelConfig config, Func<string, Tensor> parameter, Func<string, TensorType> typeOf) =>
        new(Path, config, parameter, typeOf, () => _tokenizer.Value, Type) { Generation = Generation, Forget = Forget };

    /// <summary>
    /// The same model with its matrices in another number type, converted each time they are asked for; vectors in single precision. Rows that
    /// fill no blocks fall back to a type that fits, as in a file.
    /// </summary>
    public Model ConvertTo(TensorType type)
    {
        Dictionary<string, Parameter> parameters = ParameterList.Of(Config).ToDictionary(p => p.Name);
        return new Model(Path, Config, name => TensorAssembly.Convert(parameters[name], Target(name), _parameter(name)), Target, () => _tokenizer.Value, type)
        {
            Generation = Generation,
            Forget = Forget,
        };

        TensorType Target(string name) => parameters[name] is { IsMatrix: true } matrix ? ModelWriter.Fitting(type, matrix.Columns) : TensorType.F32;
    }

    /// <summary>A parameter under Skiff's name for it and in the form <see cref="Models.Parameter"/> defines.</summary>
    public Tensor Parameter(string name) => _parameter(name);

    /// <summary>The number type of a parameter, without fetching it.</summary>
    public TensorType TypeOf(string name) => _typeOf(name);

    /// <summary>
    /// Opens a model folder, a <c>.gguf</c> file, a llama2.c <c>.bin</c> file, or <c>zoo:NAME</c>, which is an architecture with random
    /// weights.
    /// </summary>
    /// <param name="path">Any of those.</param>
    /// <param name="tokenizer">A tokenizer to use instead of the model's own.</param>
    /// <exception cref="InvalidInputException">Names file, field and mend.</exception>
    public static Model Open(string path, string? tokenizer = null) => ModelReader.Open(path, tokenizer);

    /// <summary>Opens only the description: no weights are needed.</summary>
    /// <inheritdoc cref="Open"/>
    public static ModelConfig OpenConfig(string path) => ModelReader.OpenConfig(path);
}
