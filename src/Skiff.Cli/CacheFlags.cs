using System.CommandLine;
using Skiff.Inference;
using Skiff.Tensors;

namespace Skiff.Cli;

/// <summary>How a verb's engine keeps keys and values.</summary>
internal sealed class CacheFlags
{
    public Option<TensorType?> Type { get; } = TypeFlag.OneOf(
        "--cache-type", "How keys and values are stored", "16 or 8 bits and a scale a head; by default f32 for a model in f32, else i16", TensorType.F32, TensorType.I16, TensorType.I8);

    public Option<int?> Window { get; } = Flags.Whole("--window", "See this many of the last positions only, so that memory does not grow [default: all that the model sees].");

    public Option<int?> Sinks { get; } = Flags.Whole("--sinks", "With --window: see this many first positions too, which keeps a model without windows steady; 4 will do [default: 0].");

    public IEnumerable<Option> All => [Type, Window, Sinks];

    /// <summary>The engine that the flags ask for.</summary>
    public InferenceEngineOptions Read(ParseResult parse) => new()
    {
        CacheType = parse.GetValue(Type),
        Window = parse.GetValue(Window) ?? 0,
        Sinks = parse.GetValue(Sinks) ?? 0,
    };
}
