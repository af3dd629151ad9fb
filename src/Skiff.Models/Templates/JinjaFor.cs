namespace Skiff.Models;

internal sealed class JinjaFor(
    int line, JinjaTarget target, JinjaExpression iterable, JinjaExpression? test, bool isRecursive, JinjaStatement[] body, JinjaStatement[] otherwise)
    : JinjaStatement(line)
{
    protected override JinjaSignal Run(JinjaFrame frame) => Loop(frame, iterable.Evaluate(frame), 0);

    private JinjaSignal Loop(JinjaFrame frame, object? value, int depth0)
    {
        JinjaRuntime runtime = frame.Runtime;
        if (!JinjaTypes.IsIterable(runtime, value))
            throw runtime.Fail($"a {JinjaTypes.Name(value)} cannot be iterated");
        long? length = test is null && value is not JinjaGenerator && JinjaTypes.TryLength(runtime, value, out long known) ? known : null;
        Func<object?, int, string>? recurse = isRecursive ? (inner, depth) => Recurse(frame, inner, depth) : null;
        JinjaLoop loop = new(runtime, Sequence(frame, value).GetEnumerator(), length, depth0, recurse);
        bool any = false;
        while (loop.MoveNext())
        {
            runtime.Step();
            JinjaFrame inner = frame.Inner();
            target.Assign(inner, loop.Current);
            inner.Scope.Set("loop", loop);
            JinjaSignal signal = Execute(body, inner);
            // As in Jinja, only a round that reached its end keeps the else block from being rendered.
            any |= signal == JinjaSignal.None;
            if (signal == JinjaSignal.Break)
                break;
        }

        return any ? JinjaSignal.None : Execute(otherwise, frame.Inner());
    }

    private string Recurse(JinjaFrame frame, object? value, int depth)
    {
        frame.Runtime.Enter();
        JinjaOutput output = new(frame.Runtime, isRoot: false);
        Loop(frame with { Output = output }, value, depth);
        frame.Runtime.Leave();
        return output.ToString();
    }

    private IEnumerable<object?> Sequence(JinjaFrame frame, object? value)
    {
        if (value is JinjaGenerator generator)
        {
            while (generator.TryNext(out object? item))
            {
                if (Passes(frame, item))
                    yield return item;
            }

            yield break;
        }

        foreach (object? item in JinjaTypes.Items(frame.Runtime, value))
        {
            if (Passes(frame, item))
                yield return item;
        }
    }

    private bool Passes(JinjaFrame frame, object? item)
    {
        if (test is null)
            return true;
        JinjaFrame inner = frame.Inner();
        target.Assign(inner, item);
        return JinjaTypes.IsTrue(frame.Runtime, test.Evaluate(inner));
    }
}
