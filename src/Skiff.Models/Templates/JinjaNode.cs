namespace Skiff.Models;

/// <summary>An expression of a template.</summary>
internal abstract class JinjaExpression(int line)
{
    public int Line => line;

    /// <summary>The value here; every node costs a step and checks the stack, so that no tree is too deep.</summary>
    public object? Evaluate(JinjaFrame frame)
    {
        frame.Runtime.Line = line;
        frame.Runtime.Step();
        frame.Runtime.CheckStack();
        return Run(frame);
    }

    protected abstract object? Run(JinjaFrame frame);
}

/// <summary>A statement of a template.</summary>
internal abstract class JinjaStatement(int line)
{
    public JinjaSignal Execute(JinjaFrame frame)
    {
        frame.Runtime.Line = line;
        frame.Runtime.Step();
        frame.Runtime.CheckStack();
        return Run(frame);
    }

    protected abstract JinjaSignal Run(JinjaFrame frame);

    public static JinjaSignal Execute(JinjaStatement[] body, JinjaFrame frame)
    {
        foreach (JinjaStatement statement in body)
        {
            JinjaSignal signal = statement.Execute(frame);
            if (signal != JinjaSignal.None)
                return signal;
        }

        return JinjaSignal.None;
    }
}

/// <summary>What a statement asks of the loop around it.</summary>
internal enum JinjaSignal
{
    None,
    Break,
    Continue,
}
