namespace Skiff.Models;

internal sealed class JinjaData(int line, string text) : JinjaStatement(line)
{
    protected override JinjaSignal Run(JinjaFrame frame)
    {
        frame.Output.Write(text);
        return JinjaSignal.None;
    }
}

internal sealed class JinjaPrint(int line, JinjaExpression value) : JinjaStatement(line)
{
    protected override JinjaSignal Run(JinjaFrame frame)
    {
        frame.Output.Write(JinjaRepr.Str(frame.Runtime, value.Evaluate(frame)));
        return JinjaSignal.None;
    }
}

internal sealed class JinjaIf(int line, (JinjaExpression Test, JinjaStatement[] Body)[] branches, JinjaStatement[] otherwise) : JinjaStatement(line)
{
    protected override JinjaSignal Run(JinjaFrame frame)
    {
        foreach ((JinjaExpression test, JinjaStatement[] body) in branches)
        {
            if (JinjaTypes.IsTrue(frame.Runtime, test.Evaluate(frame)))
                return Execute(body, frame);
        }

        return Execute(otherwise, frame);
    }
}

internal sealed class JinjaJump(int line, JinjaSignal signal) : JinjaStatement(line)
{
    protected override JinjaSignal Run(JinjaFrame frame) => signal;
}

internal sealed class JinjaSet(int line, JinjaTarget target, JinjaExpression value) : JinjaStatement(line)
{
    protected override JinjaSignal Run(JinjaFrame frame)
    {
        target.Assign(frame, value.Evaluate(frame));
        return JinjaSignal.None;
    }
}

internal sealed class JinjaSetBlock(int line, JinjaTarget target, JinjaFilterExpression? filter, JinjaStatement[] body) : JinjaStatement(line)
{
    protected override JinjaSignal Run(JinjaFrame frame)
    {
        JinjaFrame captured = frame.Captured();
        JinjaSignal signal = Execute(body, captured);
        if (signal != JinjaSignal.None)
            return signal;
        object? value = captured.Output.ToString();
        target.Assign(frame, filter is null ? value : filter.ApplyTo(captured, value));
        return JinjaSignal.None;
    }
}

internal sealed class JinjaFilterBlock(int line, JinjaFilterExpression filter, JinjaStatement[] body) : JinjaStatement(line)
{
    protected override JinjaSignal Run(JinjaFrame frame)
    {
        JinjaFrame captured = frame.Captured();
        JinjaSignal signal = Execute(body, captured);
        if (signal != JinjaSignal.None)
            return signal;
        if (!JinjaTypes.TryText(filter.ApplyTo(captured, captured.Output.ToString()), out string text))
            throw frame.Runtime.Fail("the filter of a filter block returns no text");
        frame.Output.Write(text);
        return JinjaSignal.None;
    }
}

internal sealed class JinjaWith(int line, (JinjaTarget Target, JinjaExpression Value)[] names, JinjaStatement[] body) : JinjaStatement(line)
{
    // The values are computed outside: they do not see each other.
    protected override JinjaSignal Run(JinjaFrame frame)
    {
        JinjaFrame inner = frame.Inner();
        foreach ((JinjaTarget target, JinjaExpression value) in names)
            target.Assign(inner, value.Evaluate(frame));
        return Execute(body, inner);
    }
}

internal sealed class JinjaMacroStatement(int line, JinjaMacroShape shape) : JinjaStatement(line)
{
    protected override JinjaSignal Run(JinjaFrame frame)
    {
        frame.Scope.Set(shape.Name!, new JinjaMacro(shape, frame.Scope));
        return JinjaSignal.None;
    }
}

internal sealed class JinjaCallBlock(int line, JinjaCallExpression call, JinjaMacroShape body) : JinjaStatement(line)
{
    protected override JinjaSignal Run(JinjaFrame frame)
    {
        if (!JinjaTypes.TryText(call.Call(frame, new JinjaMacro(body, frame.Scope)), out string text))
            throw frame.Runtime.Fail("the function of a call block returns no text");
        frame.Output.Write(text);
        return JinjaSignal.None;
    }
}

internal sealed class JinjaGenerationBlock(int line, JinjaStatement[] body) : JinjaStatement(line)
{
    protected override JinjaSignal Run(JinjaFrame frame)
    {
        if (frame.Runtime.Generations is not { } spans)
            return Execute(body, frame.Inner());
        if (!frame.Output.IsRoot)
            throw frame.Runtime.Fail("a generation block inside a macro or captured block has no position in the text");
        int start = frame.Output.Length;
        int place = spans.Count;
        Execute(body, frame.Inner());
        spans.Insert(place, (start, frame.Output.Length - start));
        return JinjaSignal.None;
    }
}
