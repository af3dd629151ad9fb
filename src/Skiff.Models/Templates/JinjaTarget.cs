namespace Skiff.Models;

/// <summary>What a value is assigned to.</summary>
internal abstract class JinjaTarget
{
    public abstract void Assign(JinjaFrame frame, object? value);
}

internal sealed class JinjaNameTarget(string name) : JinjaTarget
{
    public override void Assign(JinjaFrame frame, object? value) => frame.Scope.Set(name, value);
}

internal sealed class JinjaNamespaceTarget(string name, string attribute) : JinjaTarget
{
    public override void Assign(JinjaFrame frame, object? value)
    {
        if (!frame.Scope.TryGet(name, out object? target) || target is not JinjaNamespace space)
            throw frame.Runtime.Fail($"'{name}' is no namespace, its attributes cannot be set");
        frame.Runtime.ReserveItems(4);
        space.Attributes.Set(attribute, value);
        frame.Runtime.CheckDepth(IJinjaContainer.DepthOf(value));
    }
}

internal sealed class JinjaTupleTarget(JinjaTarget[] targets) : JinjaTarget
{
    public override void Assign(JinjaFrame frame, object? value)
    {
        object?[] items = JinjaTypes.Items(frame.Runtime, value);
        if (items.Length != targets.Length)
            throw frame.Runtime.Fail($"{targets.Length} values are expected to unpack, there are {items.Length}");
        for (int i = 0; i < targets.Length; i++)
            targets[i].Assign(frame, items[i]);
    }
}
