namespace Skiff.Models;

/// <summary>The <c>loop</c> of a for block: where it stands and what comes before and after.</summary>
internal sealed class JinjaLoop(JinjaRuntime runtime, IEnumerator<object?> items, long? length, int depth0, Func<object?, int, string>? recurse) : JinjaCallable
{
    private IEnumerator<object?> _items = items;
    private long? _length = length;
    private bool _peeked;
    private bool _hasNext;
    private object? _next;
    private object? _previous;
    private JinjaList? _changed;

    public long Index0 { get; private set; } = -1;

    public object? Current { get; private set; }

    public bool MoveNext()
    {
        if (!Peek())
            return false;
        _peeked = false;
        _previous = Current;
        Current = _next;
        Index0++;
        return true;
    }

    // Items of a filtered loop are counted only when someone asks, as the filter may depend on the body.
    public long Length()
    {
        if (_length is { } known)
            return known;
        List<object?> rest = [];
        bool peeked = _peeked && _hasNext;
        while (_items.MoveNext())
            rest.Add(_items.Current);
        runtime.ReserveItems(rest.Count);
        _items = rest.GetEnumerator();
        _length = rest.Count + Index0 + 1 + (peeked ? 1 : 0);
        return _length.Value;
    }

    public override object? Call(JinjaRuntime runtime, JinjaArguments arguments)
    {
        if (recurse is null)
            throw runtime.Fail("only a loop marked 'recursive' can be called");
        if (arguments.Positional.Count != 1 || arguments.Named.Count > 0)
            throw runtime.Fail("a loop is called with one argument, what to iterate");
        return recurse(arguments.Positional[0], depth0 + 1);
    }

    /// <summary>An attribute of the loop; false where it has none of this name.</summary>
    public bool TryAttribute(string name, out object? value)
    {
        value = name switch
        {
            "index" => Index0 + 1,
            "index0" => Index0,
            "revindex" => Length() - Index0,
            "revindex0" => Length() - Index0 - 1,
            "first" => Index0 == 0,
            "last" => !Peek(),
            "length" => Length(),
            "depth" => depth0 + 1L,
            "depth0" => (long)depth0,
            "previtem" => Index0 == 0 ? runtime.Undefined("there is no previous item") : _previous,
            "nextitem" => Peek() ? _next : runtime.Undefined("there is no next item"),
            "cycle" => new JinjaBoundFunction("cycle", Cycle),
            "changed" => new JinjaBoundFunction("changed", (runtime, arguments) => Changed(runtime, arguments)),
            _ => null,
        };
        return value is not null || name is "previtem" or "nextitem";
    }

    private bool Peek()
    {
        if (!_peeked)
        {
            _peeked = true;
            _hasNext = _items.MoveNext();
            _next = _hasNext ? _items.Current : null;
        }

        return _hasNext;
    }

    private object? Cycle(JinjaRuntime runtime, JinjaArguments arguments)
    {
        if (arguments.Positional.Count == 0 || arguments.Named.Count > 0)
            throw runtime.Fail("cycle asks for the items to cycle through");
        return arguments.Positional[(int)(Index0 % arguments.Positional.Count)];
    }

    private bool Changed(JinjaRuntime runtime, JinjaArguments arguments)
    {
        JinjaList now = runtime.List(arguments.Positional, isTuple: true);
        bool changed = _changed is null || !JinjaOperators.Equal(runtime, _changed, now);
        _changed = now;
        return changed;
    }
}
