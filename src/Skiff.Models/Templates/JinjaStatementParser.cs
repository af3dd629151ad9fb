namespace Skiff.Models;

/// <summary>Parses the tags of a template into statements.</summary>
internal sealed class JinjaStatementParser(JinjaTokenStream stream, List<JinjaToken> tokens)
{
    private readonly JinjaExpressionParser _expressions = new(stream);
    private readonly JinjaTargetParser _targets = new(stream);
    // How many loops a break here may leave.
    private int _loops;

    private bool _marks;

    /// <summary>The statements of a template; <paramref name="marks"/> says whether generation blocks are among them.</summary>
    public static JinjaStatement[] Parse(JinjaRuntime runtime, string source, out bool marks)
    {
        List<JinjaToken> tokens = JinjaLexer.Tokenize(runtime, source);
        JinjaStatementParser parser = new(new JinjaTokenStream(runtime, tokens), tokens);
        JinjaStatement[] body = parser.Body(null);
        marks = parser._marks;
        return body;
    }

    private JinjaStatement[] Body(string? tag, params string[] ends)
    {
        List<JinjaStatement> body = [];
        int line = stream.Current.Line;
        stream.Enter();
        while (true)
        {
            JinjaToken token = stream.Next();
            if (token.Kind == JinjaTokenKind.Data)
            {
                body.Add(new JinjaData(token.Line, token.Text));
            }
            else if (token.Kind == JinjaTokenKind.VariableBegin)
            {
                body.Add(new JinjaPrint(token.Line, _expressions.ParseTuple()));
                stream.Expect(JinjaTokenKind.VariableEnd);
            }
            else if (token.Kind == JinjaTokenKind.BlockBegin)
            {
                if (stream.Current.Kind == JinjaTokenKind.Name && ends.Contains(stream.Current.Text))
                    break;
                body.AddRange(Statement(ends));
                stream.Expect(JinjaTokenKind.BlockEnd);
            }
            else if (tag is null)
            {
                break;
            }
            else
            {
                throw stream.Fail($"the '{tag}' that begins here has no '{ends[^1]}'", line);
            }
        }

        stream.Leave();
        return [.. body];
    }

    // The body after a tag's own words; the end tag's name is left for the caller to take.
    private JinjaStatement[] Block(string tag, params string[] ends)
    {
        stream.SkipOperator(":");
        stream.Expect(JinjaTokenKind.BlockEnd);
        return Body(tag, ends);
    }

    private JinjaStatement[] BlockToEnd(string tag)
    {
        JinjaStatement[] body = Block(tag, "end" + tag);
        stream.Next();
        return body;
    }

    private JinjaStatement[] Statement(string[] ends)
    {
        JinjaToken tag = stream.ExpectName();
        switch (tag.Text)
        {
            case "for": return [For(tag.Line)];
            case "if": return [If(tag.Line)];
            case "set": return [Set(tag.Line)];
            case "with": return [With(tag.Line)];
            case "macro":
                string name = _targets.Name();
                return [new JinjaMacroStatement(tag.Line, Macro("macro", name))];
            case "call": return [CallBlock(tag.Line)];
            case "filter":
                JinjaFilterExpression filter = (JinjaFilterExpression)_expressions.ParseFilters(null, startInline: true)!;
                return [new JinjaFilterBlock(tag.Line, filter, BlockToEnd("filter"))];
            case "generation":
                _marks = true;
                int loops = _loops;
                _loops = 0;
                JinjaStatement[] body = BlockToEnd("generation");
                _loops = loops;
                return [new JinjaGenerationBlock(tag.Line, body)];
            case "break" or "continue":
                if (_loops == 0)
                    throw stream.Fail($"'{tag.Text}' stands outside a loop", tag.Line);
                return [new JinjaJump(tag.Line, tag.Text == "break" ? JinjaSignal.Break : JinjaSignal.Continue)];
            case "print": return Print(tag.Line);
            case "include" or "import" or "from" or "extends" or "block" or "autoescape":
                throw stream.Fail($"the tag '{tag.Text}' is not supported: a template stands alone", tag.Line);
            default:
                string expected = ends.Length == 0 ? "" : $", expected '{string.Join("' or '", ends)}'";
                throw stream.Fail($"unknown tag '{tag.Text}'{expected}", tag.Line);
        }
    }

    private JinjaFor For(int line)
    {
        _targets.Loops++;
        JinjaTarget target = _targets.Target();
        stream.ExpectName("in");
        JinjaExpression iterable = _expressions.ParseTuple(withConditional: false);
        JinjaExpression? test = stream.SkipName("if") ? _expressions.Parse() : null;
        bool isRecursive = stream.SkipName("recursive");
        _loops++;
        JinjaStatement[] body = Block("for", "else", "endfor");
        _loops--;
        JinjaStatement[] otherwise = stream.Next().Text == "else" ? BlockToEnd("for") : [];
        _targets.Loops--;
        return new JinjaFor(line, target, iterable, test, isRecursive, body, otherwise);
    }

    private JinjaIf If(int line)
    {
        List<(JinjaExpression, JinjaStatement[])> branches = [];
        stream.Conditional++;
        while (true)
        {
            JinjaExpression test = _expressions.ParseTuple(withConditional: false);
            branches.Add((test, Block("if", "elif", "else", "endif")));
            string end = stream.Next().Text;
            if (end == "elif")
                continue;
            JinjaStatement[] otherwise = end == "else" ? BlockToEnd("if") : [];
            stream.Conditional--;
            return new JinjaIf(line, [.. branches], otherwise);
        }
    }

    private JinjaStatement Set(int line)
    {
        JinjaTarget target = _targets.Target(withNamespace: true);
        if (stream.SkipOperator("="))
            return new JinjaSet(line, target, _expressions.ParseTuple());
        JinjaFilterExpression? filter = (JinjaFilterExpression?)_expressions.ParseFilters(null);
        return new JinjaSetBlock(line, target, filter, BlockToEnd("set"));
    }

    private JinjaWith With(int line)
    {
        List<(JinjaTarget, JinjaExpression)> names = [];
        while (stream.Current.Kind != JinjaTokenKind.BlockEnd && !stream.Current.IsOperator(":"))
        {
            if (names.Count > 0)
                stream.ExpectOperator(",");
            JinjaTarget target = _targets.Target(mayShadowLoop: true);
            stream.ExpectOperator("=");
            names.Add((target, _expressions.Parse()));
        }

        return new JinjaWith(line, [.. names], BlockToEnd("with"));
    }

    private JinjaCallBlock CallBlock(int line)
    {
        (string[] parameters, JinjaExpression[] defaults) = stream.Current.IsOperator("(") ? Signature() : ([], []);
        if (_expressions.Parse() is not JinjaCallExpression call)
            throw stream.Fail("a call block asks for a call", line);
        return new JinjaCallBlock(line, call, MacroBody("call", null, parameters, defaults));
    }

    private JinjaMacroShape Macro(string tag, string name)
    {
        (string[] parameters, JinjaExpression[] defaults) = Signature();
        return MacroBody(tag, name, parameters, defaults);
    }

    private JinjaMacroShape MacroBody(string tag, string? name, string[] parameters, JinjaExpression[] defaults)
    {
        int outer = _loops;
        _loops = 0;
        int first = stream.Position;
        JinjaStatement[] body = BlockToEnd(tag);
        int last = stream.Position;
        _loops = outer;
        bool Uses(string special) => !parameters.Contains(special)
            && Enumerable.Range(first, last - first).Any(i => tokens[i].IsName(special) && !tokens[i - 1].IsOperator("."));
        return new(name, parameters, defaults, body, Uses("caller"), Uses("kwargs"), Uses("varargs"));
    }

    private (string[] Parameters, JinjaExpression[] Defaults) Signature()
    {
        List<string> parameters = [];
        List<JinjaExpression> defaults = [];
        stream.ExpectOperator("(");
        while (!stream.Current.IsOperator(")"))
        {
            if (parameters.Count > 0)
                stream.ExpectOperator(",");
            string name = _targets.Name();
            if (parameters.Contains(name))
                throw stream.Fail($"the parameter '{name}' appears twice");
            parameters.Add(name);
            if (stream.SkipOperator("="))
                defaults.Add(_expressions.Parse());
            else if (defaults.Count > 0 || name == "caller")
                throw stream.Fail($"the parameter '{name}' needs a default");
        }

        stream.ExpectOperator(")");
        return ([.. parameters], [.. defaults]);
    }

    private JinjaStatement[] Print(int line)
    {
        List<JinjaStatement> prints = [];
        while (stream.Current.Kind != JinjaTokenKind.BlockEnd)
        {
            if (prints.Count > 0)
                stream.ExpectOperator(",");
            prints.Add(new JinjaPrint(line, _expressions.Parse()));
        }

        return [.. prints];
    }
}
