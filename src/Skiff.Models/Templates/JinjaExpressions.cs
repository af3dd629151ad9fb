namespace Skiff.Models;

internal sealed class JinjaConstant(int line, object? value) : JinjaExpression(line)
{
    protected override object? Run(JinjaFrame frame) => value;
}

internal sealed class JinjaName(int line, string name) : JinjaExpression(line)
{
    public string Name => name;

    protected override object? Run(JinjaFrame frame) =>
        frame.Scope.TryGet(name, out object? value) ? value : frame.Runtime.Undefined($"'{name}' is undefined");
}

internal sealed class JinjaListLiteral(int line, JinjaExpression[] items, bool isTuple) : JinjaExpression(line)
{
    public JinjaExpression[] Items => items;

    public bool IsTuple => isTuple;

    protected override object? Run(JinjaFrame frame)
    {
        object?[] values = new object?[items.Length];
        for (int i = 0; i < items.Length; i++)
            values[i] = items[i].Evaluate(frame);
        return frame.Runtime.List(values, isTuple);
    }
}

internal sealed class JinjaDictLiteral(int line, KeyValuePair<JinjaExpression, JinjaExpression>[] pairs) : JinjaExpression(line)
{
    protected override object? Run(JinjaFrame frame)
    {
        JinjaDict dict = new();
        frame.Runtime.ReserveItems(8L * pairs.Length);
        foreach ((JinjaExpression key, JinjaExpression value) in pairs)
        {
            object? evaluated = key.Evaluate(frame);
            dict.Set(JinjaKey.Of(frame.Runtime, evaluated), value.Evaluate(frame));
        }

        frame.Runtime.CheckDepth(dict.Depth);
        return dict;
    }
}

internal sealed class JinjaConditional(int line, JinjaExpression test, JinjaExpression then, JinjaExpression? otherwise) : JinjaExpression(line)
{
    protected override object? Run(JinjaFrame frame)
    {
        if (JinjaTypes.IsTrue(frame.Runtime, test.Evaluate(frame)))
            return then.Evaluate(frame);
        return otherwise is not null ? otherwise.Evaluate(frame)
            : new JinjaUndefined("the inline if-expression was false and has no else", IsStrict: false);
    }
}

internal sealed class JinjaLogical(int line, bool isAnd, JinjaExpression left, JinjaExpression right) : JinjaExpression(line)
{
    // Python returns the operand that decided, not a boolean.
    protected override object? Run(JinjaFrame frame)
    {
        object? value = left.Evaluate(frame);
        return JinjaTypes.IsTrue(frame.Runtime, value) == isAnd ? right.Evaluate(frame) : value;
    }
}

internal sealed class JinjaNot(int line, JinjaExpression operand) : JinjaExpression(line)
{
    protected override object? Run(JinjaFrame frame) => !JinjaTypes.IsTrue(frame.Runtime, operand.Evaluate(frame));
}

internal sealed class JinjaSign(int line, bool isMinus, JinjaExpression operand) : JinjaExpression(line)
{
    protected override object? Run(JinjaFrame frame)
    {
        object? value = operand.Evaluate(frame);
        JinjaOperators.Refuse(frame.Runtime, value);
        if (!JinjaNumbers.IsNumber(value))
            throw frame.Runtime.Fail($"a {JinjaTypes.Name(value)} has no sign");
        if (isMinus)
            return JinjaNumbers.Negate(frame.Runtime, value!);
        return value is bool flag ? flag ? 1L : 0L : value;
    }
}

internal sealed class JinjaBinary(int line, string op, JinjaExpression left, JinjaExpression right) : JinjaExpression(line)
{
    protected override object? Run(JinjaFrame frame)
    {
        object? first = left.Evaluate(frame);
        object? second = right.Evaluate(frame);
        frame.Runtime.Line = Line;
        return JinjaOperators.Binary(frame.Runtime, op, first, second);
    }
}

internal sealed class JinjaConcatenation(int line, JinjaExpression[] parts) : JinjaExpression(line)
{
    protected override object? Run(JinjaFrame frame)
    {
        string[] texts = new string[parts.Length];
        for (int i = 0; i < parts.Length; i++)
            texts[i] = JinjaRepr.Str(frame.Runtime, parts[i].Evaluate(frame));
        frame.Runtime.Reserve(texts.Sum(text => (long)text.Length));
        return string.Concat(texts);
    }
}

internal sealed class JinjaComparison(int line, JinjaExpression first, (string Operator, JinjaExpression Operand)[] rest) : JinjaExpression(line)
{
    protected override object? Run(JinjaFrame frame)
    {
        object? left = first.Evaluate(frame);
        foreach ((string op, JinjaExpression operand) in rest)
        {
            object? right = operand.Evaluate(frame);
            frame.Runtime.Line = Line;
            if (!JinjaOperators.Compare(frame.Runtime, op, left, right))
                return false;
            left = right;
        }

        return true;
    }
}

internal sealed class JinjaAttribute(int line, JinjaExpression target, string name) : JinjaExpression(line)
{
    protected override object? Run(JinjaFrame frame) => JinjaLookup.Attribute(frame.Runtime, target.Evaluate(frame), name);
}

internal sealed class JinjaSubscript(int line, JinjaExpression target, JinjaExpression key) : JinjaExpression(line)
{
    protected override object? Run(JinjaFrame frame)
    {
        object? value = target.Evaluate(frame);
        object? argument = key.Evaluate(frame);
        frame.Runtime.Line = Line;
        return JinjaLookup.Item(frame.Runtime, value, argument);
    }
}

internal sealed class JinjaSliceExpression(int line, JinjaExpression? start, JinjaExpression? stop, JinjaExpression? step) : JinjaExpression(line)
{
    protected override object? Run(JinjaFrame frame) => new JinjaSlice(start?.Evaluate(frame), stop?.Evaluate(frame), step?.Evaluate(frame));
}
