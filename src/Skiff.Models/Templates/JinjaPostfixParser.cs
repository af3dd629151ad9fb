namespace Skiff.Models;

/// <summary>Parses literals and what follows them: attributes, subscripts, calls, filters and tests.</summary>
internal sealed class JinjaPostfixParser(JinjaTokenStream stream)
{
    private const int LongestChain = 500;

    public JinjaExpression Primary(JinjaExpressionParser parser)
    {
        JinjaToken token = stream.Current;
        switch (token.Kind)
        {
            case JinjaTokenKind.Name:
                stream.Next();
                return token.Text switch
                {
                    "true" or "True" => new JinjaConstant(token.Line, true),
                    "false" or "False" => new JinjaConstant(token.Line, false),
                    "none" or "None" => new JinjaConstant(token.Line, null),
                    _ => new JinjaName(token.Line, token.Text),
                };
            case JinjaTokenKind.Text:
                List<string> parts = [];
                while (stream.Current.Kind == JinjaTokenKind.Text)
                    parts.Add(stream.Next().Text);
                return new JinjaConstant(token.Line, string.Concat(parts));
            case JinjaTokenKind.Number:
                stream.Next();
                return new JinjaConstant(token.Line, token.Value);
        }

        if (stream.SkipOperator("("))
        {
            stream.Enter();
            JinjaExpression inner = parser.ParseTuple(explicitParentheses: true);
            stream.Leave();
            stream.ExpectOperator(")");
            return inner;
        }

        if (stream.SkipOperator("["))
            return new JinjaListLiteral(token.Line, [.. Separated("]", () => parser.Parse())], isTuple: false);
        if (stream.SkipOperator("{"))
            return new JinjaDictLiteral(token.Line, [.. Separated("}", () => Pair(parser))]);
        throw stream.Fail($"unexpected {token.Description}");
    }

    public JinjaExpression Postfix(JinjaExpressionParser parser, JinjaExpression value)
    {
        for (int links = 0; ; links++)
        {
            CheckChain(links);
            if (stream.Current.IsOperator(".") || stream.Current.IsOperator("["))
                value = Subscript(parser, value);
            else if (stream.Current.IsOperator("("))
                value = new JinjaCallExpression(stream.Current.Line, value, Arguments(parser));
            else
                return value;
        }
    }

    public JinjaExpression FiltersAndTests(JinjaExpressionParser parser, JinjaExpression value)
    {
        for (int links = 0; ; links++)
        {
            CheckChain(links);
            if (stream.Current.IsOperator("|"))
                value = Filters(parser, value, startInline: false)!;
            else if (stream.Current.IsName("is"))
                value = Test(parser, value);
            else if (stream.Current.IsOperator("("))
                value = new JinjaCallExpression(stream.Current.Line, value, Arguments(parser));
            else
                return value;
        }
    }

    public JinjaExpression? Filters(JinjaExpressionParser parser, JinjaExpression? value, bool startInline)
    {
        for (int links = 0; startInline || stream.Current.IsOperator("|"); links++)
        {
            CheckChain(links);
            if (!startInline)
                stream.Next();
            startInline = false;
            JinjaToken token = stream.Current;
            string name = DottedName();
            if (stream.Conditional == 0 && !JinjaFilters.Exists(name))
                throw stream.Fail($"no filter named '{name}'", token.Line);
            JinjaArgumentList arguments = stream.Current.IsOperator("(") ? Arguments(parser) : JinjaArgumentList.Empty;
            value = new JinjaFilterExpression(token.Line, value, name, arguments);
        }

        return value;
    }

    private JinjaExpression Test(JinjaExpressionParser parser, JinjaExpression value)
    {
        int line = stream.Next().Line;
        bool negated = stream.SkipName("not");
        string name = DottedName();
        if (stream.Conditional == 0 && !JinjaTests.Exists(name))
            throw stream.Fail($"no test named '{name}'", line);
        JinjaToken next = stream.Current;
        JinjaArgumentList arguments = JinjaArgumentList.Empty;
        bool beginsValue = next.Kind is JinjaTokenKind.Name or JinjaTokenKind.Text or JinjaTokenKind.Number
            || next.IsOperator("[") || next.IsOperator("{");
        if (next.IsOperator("("))
        {
            arguments = Arguments(parser);
        }
        else if (beginsValue && !(next.IsName("else") || next.IsName("or") || next.IsName("and")))
        {
            if (next.IsName("is"))
                throw stream.Fail("tests with 'is' cannot follow each other");
            stream.Enter();
            arguments = new([Postfix(parser, Primary(parser))], [], null, null);
            stream.Leave();
        }

        JinjaExpression test = new JinjaTestExpression(line, value, name, arguments);
        return negated ? new JinjaNot(line, test) : test;
    }

    private string DottedName()
    {
        string name = stream.ExpectName().Text;
        while (stream.SkipOperator("."))
            name += "." + stream.ExpectName().Text;
        return name;
    }

    private JinjaExpression Subscript(JinjaExpressionParser parser, JinjaExpression value)
    {
        JinjaToken token = stream.Next();
        if (token.Text == ".")
        {
            JinjaToken name = stream.Next();
            if (name.Kind == JinjaTokenKind.Name)
                return new JinjaAttribute(token.Line, value, name.Text);
            if (name.Kind != JinjaTokenKind.Number || name.Value is double)
                throw stream.Fail("expected a name or a number after '.'", name.Line);
            return new JinjaSubscript(token.Line, value, new JinjaConstant(name.Line, name.Value));
        }

        List<JinjaExpression> keys = [];
        while (!stream.Current.IsOperator("]"))
        {
            if (keys.Count > 0)
                stream.ExpectOperator(",");
            keys.Add(Key(parser));
        }

        stream.ExpectOperator("]");
        JinjaExpression key = keys.Count == 1 ? keys[0] : new JinjaListLiteral(token.Line, [.. keys], isTuple: true);
        return new JinjaSubscript(token.Line, value, key);
    }

    private JinjaExpression Key(JinjaExpressionParser parser)
    {
        int line = stream.Current.Line;
        JinjaExpression? start = null;
        if (!stream.SkipOperator(":"))
        {
            start = parser.Parse();
            if (!stream.SkipOperator(":"))
                return start;
        }

        JinjaExpression? stop = null;
        if (!stream.Current.IsOperator(":") && !stream.Current.IsOperator("]") && !stream.Current.IsOperator(","))
            stop = parser.Parse();
        JinjaExpression? step = null;
        if (stream.SkipOperator(":") && !stream.Current.IsOperator("]") && !stream.Current.IsOperator(","))
            step = parser.Parse();
        return new JinjaSliceExpression(line, start, stop, step);
    }

    private KeyValuePair<JinjaExpression, JinjaExpression> Pair(JinjaExpressionParser parser)
    {
        JinjaExpression key = parser.Parse();
        stream.ExpectOperator(":");
        return new(key, parser.Parse());
    }

    private List<T> Separated<T>(string end, Func<T> parse)
    {
        List<T> items = [];
        while (!stream.Current.IsOperator(end))
        {
            if (items.Count > 0)
                stream.ExpectOperator(",");
            if (stream.Current.IsOperator(end))
                break;
            items.Add(parse());
        }

        stream.ExpectOperator(end);
        return items;
    }

    private JinjaArgumentList Arguments(JinjaExpressionParser parser)
    {
        int line = stream.ExpectOperator("(").Line;
        List<JinjaExpression> positional = [];
        List<(string, JinjaExpression)> named = [];
        JinjaExpression? rest = null;
        JinjaExpression? namedRest = null;
        Separated(")", () =>
        {
            if (stream.SkipOperator("*"))
            {
                Ensure(rest is null && namedRest is null, line);
                rest = parser.Parse();
            }
            else if (stream.SkipOperator("**"))
            {
                Ensure(namedRest is null, line);
                namedRest = parser.Parse();
            }
            else if (stream.Current.Kind == JinjaTokenKind.Name && stream.Ahead.IsOperator("="))
            {
                Ensure(namedRest is null, line);
                string name = stream.Next().Text;
                stream.Next();
                named.Add((name, parser.Parse()));
            }
            else
            {
                Ensure(rest is null && namedRest is null && named.Count == 0, line);
                positional.Add(parser.Parse());
            }

            return true;
        });
        return new([.. positional], [.. named], rest, namedRest);
    }

    private void Ensure(bool holds, int line)
    {
        if (!holds)
            throw stream.Fail("the arguments of the call are in no valid order", line);
    }

    private void CheckChain(int links)
    {
        if (links >= LongestChain)
            throw stream.Fail($"more than {LongestChain} operations follow each other");
    }
}
