using System.Numerics;
using System.Runtime.CompilerServices;
using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>What one parse or rendering may spend, and where it is: every refusal gets its line from here.</summary>
internal sealed class JinjaRuntime(string name, JinjaOptions options)
{
    private const int CharactersPerStep = 256;
    private const int AllocationFactor = 32;
    private const int MaxDepth = 100;
    private const int MaxIntegerBits = 16384;
    private long _steps;
    private long _characters;
    private int _depth;

    public JinjaOptions Options => options;

    /// <summary>The line of the node being evaluated.</summary>
    public int Line { get; set; } = 1;

    /// <summary>The spans of generation blocks; null where nobody asked for them.</summary>
    public List<(int Start, int Length)>? Generations { get; set; }

    public InvalidInputException Fail(string problem) => new(name, $"line {Line}", problem);

    public void Step(long count = 1)
    {
        _steps += count;
        if (_steps > options.MaxSteps)
            throw Fail($"the template takes more than {options.MaxSteps} steps");
    }

    /// <summary>Says that a text is about to be searched for another; at worst every place is compared in full.</summary>
    public void Search(string text, string part) => Step((long)(text.Length / CharactersPerStep) * ((part.Length / CharactersPerStep) + 1));

    /// <summary>Says that this many bits times this many are about to be computed with.</summary>
    public void Multiply(long bits, long otherBits) => Step(bits * otherBits / 65536);

    /// <summary>Says that a text of this length is about to be built.</summary>
    public void Reserve(long length)
    {
        if (length > options.MaxOutput)
            throw Fail($"a text of {length} characters is over the limit of {options.MaxOutput}");
        Allocate(length);
        Step(length / CharactersPerStep);
    }

    /// <summary>Says that this many list items are about to be stored.</summary>
    public void ReserveItems(long count)
    {
        if (count > options.MaxOutput)
            throw Fail($"a list of {count} items is over the limit of {options.MaxOutput}");
        Allocate(4 * count);
        Step(count / 16);
    }

    private void Allocate(long characters)
    {
        _characters += characters;
        if (_characters > (long)AllocationFactor * options.MaxOutput)
            throw Fail($"the template builds texts and lists of over {AllocationFactor} times the limit of {options.MaxOutput} characters");
    }

    /// <summary>The text, after its length was charged.</summary>
    public string Text(string text)
    {
        Reserve(text.Length);
        return text;
    }

    public JinjaList List(IReadOnlyList<object?> items, bool isTuple = false)
    {
        ReserveItems(items.Count);
        JinjaList list = new(items as object?[] ?? [.. items], isTuple);
        CheckDepth(list.Depth);
        return list;
    }

    public JinjaList Tuple(params object?[] items) => List(items, isTuple: true);

    public void CheckDepth(int depth)
    {
        if (depth > MaxDepth)
            throw Fail($"a value is nested deeper than {MaxDepth} levels");
    }

    public object Integer(BigInteger value)
    {
        if (value >= long.MinValue && value <= long.MaxValue)
            return (long)value;
        if (value.GetBitLength() > MaxIntegerBits)
            throw Fail($"an integer of over {MaxIntegerBits} bits");
        return value;
    }

    public void CheckIntegerBits(double bits)
    {
        if (bits > MaxIntegerBits)
            throw Fail($"an integer of over {MaxIntegerBits} bits");
    }

    /// <summary>Enters a macro or recursive loop.</summary>
    public void Enter()
    {
        CheckStack();
        if (++_depth > MaxDepth)
            throw Fail($"macros or loops call themselves more than {MaxDepth} levels deep");
    }

    public void Leave() => _depth--;

    // The limits bound the depth; this holds even on a thread with a small stack.
    public void CheckStack()
    {
        if (!RuntimeHelpers.TryEnsureSufficientExecutionStack())
            throw Fail("the template is nested too deeply");
    }

    public JinjaUndefined Undefined(string message) => new(message, options.StrictUndefined);
}
