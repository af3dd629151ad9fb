using System.Numerics;
using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>One call of a library function: the object before the dot or pipe, and the arguments by place.</summary>
internal readonly record struct JinjaCall(JinjaRuntime Runtime, string Function, object? Self, object?[] Values, JinjaArguments Arguments)
{
    /// <summary>The object as text, as <c>str</c> gives it.</summary>
    public string SelfText => JinjaRepr.Str(Runtime, Self);

    public bool Has(int index) => !ReferenceEquals(Values[index], JinjaSignature.Missing);

    public object? Value(int index, object? fallback = null) => Has(index) ? Values[index] : fallback;

    /// <summary>Whether an argument that defaults to None has a value.</summary>
    public bool HasValue(int index) => Has(index) && Values[index] is not null;

    public string Text(int index, string fallback = "")
    {
        if (!Has(index))
            return fallback;
        return JinjaTypes.TryText(Values[index], out string text) ? text : throw Wrong(index, "a text");
    }

    public long Integer(int index, long fallback = 0)
    {
        if (!Has(index))
            return fallback;
        if (!JinjaNumbers.TryInteger(Values[index], out BigInteger integer))
            throw Wrong(index, "an integer");
        return integer >= long.MinValue && integer <= long.MaxValue ? (long)integer : throw Wrong(index, "an integer of 64 bits");
    }

    public bool Truth(int index, bool fallback = false) => Has(index) ? JinjaTypes.IsTrue(Runtime, Values[index]) : fallback;

    /// <summary>The result of a text operation: marked safe where the object was.</summary>
    public object Wrap(string text)
    {
        Runtime.Reserve(text.Length);
        return Self is JinjaMarkup ? new JinjaMarkup(text) : text;
    }

    /// <summary>The argument as text that may be joined to the object: escaped where the object is safe HTML and it is not.</summary>
    public string Joined(int index, string fallback = "")
    {
        string text = Text(index, fallback);
        return Self is JinjaMarkup && Value(index) is not JinjaMarkup ? JinjaText.Escape(text) : text;
    }

    public InvalidInputException Wrong(int index, string expected)
    {
        JinjaOperators.Refuse(Runtime, Values[index]);
        return Runtime.Fail($"'{Function}' asks for {expected}, not a {JinjaTypes.Name(Values[index])}");
    }

    public InvalidInputException Fail(string problem) => Runtime.Fail($"'{Function}' {problem}");
}
