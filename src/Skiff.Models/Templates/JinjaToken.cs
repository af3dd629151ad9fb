namespace Skiff.Models;

/// <summary>What a piece of a template is.</summary>
internal enum JinjaTokenKind
{
    Data,
    VariableBegin,
    VariableEnd,
    BlockBegin,
    BlockEnd,
    Name,
    Text,
    Number,
    Operator,
    End,
}

/// <summary>One piece of a template; numbers carry their value.</summary>
internal readonly record struct JinjaToken(JinjaTokenKind Kind, string Text, int Line, object? Value = null)
{
    public bool IsOperator(string text) => Kind == JinjaTokenKind.Operator && Text == text;

    public bool IsName(string text) => Kind == JinjaTokenKind.Name && Text == text;

    public string Description => Kind switch
    {
        JinjaTokenKind.VariableEnd => "the end of the print statement",
        JinjaTokenKind.BlockEnd => "the end of the tag",
        JinjaTokenKind.End => "the end of the template",
        JinjaTokenKind.Data => "text",
        _ => $"'{Text}'",
    };
}
