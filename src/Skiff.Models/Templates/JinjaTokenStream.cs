using System.Runtime.CompilerServices;
using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>The tokens of a template, read one after the other by the parsers.</summary>
internal sealed class JinjaTokenStream(JinjaRuntime runtime, List<JinjaToken> tokens)
{
    private const int MaxDepth = 200;
    private int _at;
    private int _depth;

    public JinjaRuntime Runtime => runtime;

    public JinjaToken Current => tokens[_at];

    /// <summary>The index of the current token.</summary>
    public int Position => _at;

    public JinjaToken Ahead => tokens[Math.Min(_at + 1, tokens.Count - 1)];

    /// <summary>More than zero inside what may never be evaluated: there, unknown filters are refused only when reached.</summary>
    public int Conditional { get; set; }

    public JinjaToken Next()
    {
        JinjaToken token = tokens[_at];
        if (_at < tokens.Count - 1)
            _at++;
        return token;
    }

    public bool SkipOperator(string text)
    {
        bool found = Current.IsOperator(text);
        if (found)
            Next();
        return found;
    }

    public bool SkipName(string text)
    {
        bool found = Current.IsName(text);
        if (found)
            Next();
        return found;
    }

    public JinjaToken ExpectOperator(string text) => Current.IsOperator(text) ? Next() : throw Fail($"expected '{text}', got {Current.Description}");

    public JinjaToken ExpectName() => Current.Kind == JinjaTokenKind.Name ? Next() : throw Fail($"expected a name, got {Current.Description}");

    public void ExpectName(string text)
    {
        if (!SkipName(text))
            throw Fail($"expected '{text}', got {Current.Description}");
    }

    public void Expect(JinjaTokenKind kind)
    {
        if (Current.Kind != kind)
            throw Fail($"expected {new JinjaToken(kind, "", 0).Description}, got {Current.Description}");
        Next();
    }

    public InvalidInputException Fail(string problem) => Fail(problem, Current.Line);

    public InvalidInputException Fail(string problem, int line)
    {
        runtime.Line = line;
        return runtime.Fail(problem);
    }

    /// <summary>Enters a nested expression or block.</summary>
    public void Enter()
    {
        if (++_depth > MaxDepth || !RuntimeHelpers.TryEnsureSufficientExecutionStack())
            throw Fail($"the template is nested deeper than {MaxDepth} levels");
    }

    public void Leave() => _depth--;
}
