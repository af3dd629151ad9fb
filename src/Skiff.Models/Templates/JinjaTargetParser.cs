namespace Skiff.Models;

/// <summary>Parses what a value is assigned to: a name, an attribute of a namespace, or a tuple of these.</summary>
internal sealed class JinjaTargetParser(JinjaTokenStream stream)
{
    private static readonly string[] Constants = ["true", "false", "none", "True", "False", "None"];

    /// <summary>How many for blocks stand around; inside one the name loop belongs to it.</summary>
    public int Loops { get; set; }

    public string Name()
    {
        JinjaToken token = stream.ExpectName();
        return Constants.Contains(token.Text) ? throw stream.Fail($"'{token.Text}' cannot be assigned to", token.Line) : token.Text;
    }

    public JinjaTarget Target(bool withNamespace = false, bool mayShadowLoop = false)
    {
        List<JinjaTarget> targets = [];
        bool isTuple = false;
        stream.Enter();
        while (true)
        {
            if (targets.Count > 0)
                stream.ExpectOperator(",");
            if (stream.Current.Kind == JinjaTokenKind.BlockEnd || stream.Current.IsOperator(")"))
                break;
            targets.Add(Single(withNamespace, mayShadowLoop));
            if (!stream.Current.IsOperator(","))
                break;
            isTuple = true;
        }

        stream.Leave();
        if (isTuple)
            return new JinjaTupleTarget([.. targets]);
        return targets.Count > 0 ? targets[0] : throw stream.Fail($"expected a name, got {stream.Current.Description}");
    }

    private JinjaTarget Single(bool withNamespace, bool mayShadowLoop)
    {
        if (stream.SkipOperator("("))
        {
            if (stream.SkipOperator(")"))
                return new JinjaTupleTarget([]);
            JinjaTarget inner = Target(withNamespace: false, mayShadowLoop);
            stream.ExpectOperator(")");
            return inner;
        }

        int line = stream.Current.Line;
        string name = Name();
        if (withNamespace && stream.SkipOperator("."))
            return new JinjaNamespaceTarget(name, stream.ExpectName().Text);
        if (name == "loop" && Loops > 0 && !mayShadowLoop)
            throw stream.Fail("the name 'loop' cannot be assigned to inside a for block", line);
        return new JinjaNameTarget(name);
    }
}
