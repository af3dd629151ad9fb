namespace Skiff.Models;

/// <summary>Parses expressions by Jinja's precedence: conditional, or, and, not, comparison, sum, concatenation, product, power, sign, postfix.</summary>
internal sealed class JinjaExpressionParser(JinjaTokenStream stream)
{
    private const int LongestChain = 500;
    private readonly JinjaPostfixParser _postfix = new(stream);

    /// <summary>A whole expression.</summary>
    public JinjaExpression Parse(bool withConditional = true)
    {
        stream.Enter();
        JinjaExpression expression = withConditional ? Conditional() : Or();
        stream.Leave();
        return expression;
    }

    /// <summary>One expression, or several separated by commas as a tuple.</summary>
    public JinjaExpression ParseTuple(bool withConditional = true, bool explicitParentheses = false)
    {
        int line = stream.Current.Line;
        List<JinjaExpression> items = [];
        bool isTuple = false;
        while (true)
        {
            if (items.Count > 0)
                stream.ExpectOperator(",");
            if (IsTupleEnd())
                break;
            items.Add(Parse(withConditional));
            if (!stream.Current.IsOperator(","))
                break;
            isTuple = true;
        }

        if (!isTuple && items.Count > 0)
            return items[0];
        if (!isTuple && !explicitParentheses)
            throw stream.Fail($"expected an expression, got {stream.Current.Description}");
        return new JinjaListLiteral(line, [.. items], isTuple: true);
    }

    /// <summary>A filter chain on an expression, or on nothing for blocks whose text is filtered.</summary>
    public JinjaExpression? ParseFilters(JinjaExpression? target, bool startInline = false) => _postfix.Filters(this, target, startInline);

    private bool IsTupleEnd() => stream.Current.Kind is JinjaTokenKind.VariableEnd or JinjaTokenKind.BlockEnd
        || stream.Current.IsOperator(")");

    private JinjaExpression Conditional()
    {
        int line = stream.Current.Line;
        JinjaExpression value = Or();
        for (int links = 0; stream.Current.IsName("if"); links++)
        {
            CheckChain(links);
            stream.Next();
            stream.Conditional++;
            JinjaExpression test = Or();
            JinjaExpression? otherwise = null;
            if (stream.SkipName("else"))
            {
                stream.Enter();
                otherwise = Conditional();
                stream.Leave();
            }

            stream.Conditional--;
            value = new JinjaConditional(line, test, value, otherwise);
        }

        return value;
    }

    private JinjaExpression Or()
    {
        JinjaExpression left = And();
        for (int links = 0; stream.Current.IsName("or"); links++)
        {
            CheckChain(links);
            int line = stream.Next().Line;
            left = new JinjaLogical(line, isAnd: false, left, And());
        }

        return left;
    }

    private JinjaExpression And()
    {
        JinjaExpression left = Not();
        for (int links = 0; stream.Current.IsName("and"); links++)
        {
            CheckChain(links);
            int line = stream.Next().Line;
            left = new JinjaLogical(line, isAnd: true, left, Not());
        }

        return left;
    }

    private JinjaExpression Not()
    {
        if (!stream.Current.IsName("not"))
            return Comparison();
        int line = stream.Next().Line;
        stream.Enter();
        JinjaExpression operand = Not();
        stream.Leave();
        return new JinjaNot(line, operand);
    }

    private JinjaExpression Comparison()
    {
        int line = stream.Current.Line;
        JinjaExpression first = Sum();
        List<(string, JinjaExpression)> rest = [];
        while (true)
        {
            if (stream.Current.Kind == JinjaTokenKind.Operator && stream.Current.Text is "==" or "!=" or "<" or "<=" or ">" or ">=")
            {
                string op = stream.Next().Text;
                rest.Add((op, Sum()));
            }
            else if (stream.SkipName("in"))
            {
                rest.Add(("in", Sum()));
            }
            else if (stream.Current.IsName("not") && stream.Ahead.IsName("in"))
            {
                stream.Next();
                stream.Next();
                rest.Add(("not in", Sum()));
            }
            else
            {
                return rest.Count == 0 ? first : new JinjaComparison(line, first, [.. rest]);
            }
        }
    }

    private JinjaExpression Sum()
    {
        JinjaExpression left = Concatenation();
        for (int links = 0; stream.Current.IsOperator("+") || stream.Current.IsOperator("-"); links++)
        {
            CheckChain(links);
            JinjaToken op = stream.Next();
            left = new JinjaBinary(op.Line, op.Text, left, Concatenation());
        }

        return left;
    }

    private JinjaExpression Concatenation()
    {
        int line = stream.Current.Line;
        JinjaExpression first = Product();
        if (!stream.Current.IsOperator("~"))
            return first;
        List<JinjaExpression> parts = [first];
        while (stream.SkipOperator("~"))
            parts.Add(Product());
        return new JinjaConcatenation(line, [.. parts]);
    }

    private JinjaExpression Product()
    {
        JinjaExpression left = Power();
        for (int links = 0; stream.Current.Kind == JinjaTokenKind.Operator && stream.Current.Text is "*" or "/" or "//" or "%"; links++)
        {
            CheckChain(links);
            JinjaToken op = stream.Next();
            left = new JinjaBinary(op.Line, op.Text, left, Power());
        }

        return left;
    }

    // Unlike Python, Jinja reads a power from left to right and binds the sign tighter.
    private JinjaExpression Power()
    {
        JinjaExpression left = Signed(withFilters: true);
        for (int links = 0; stream.Current.IsOperator("**"); links++)
        {
            CheckChain(links);
            JinjaToken op = stream.Next();
            left = new JinjaBinary(op.Line, op.Text, left, Signed(withFilters: true));
        }

        return left;
    }

    private JinjaExpression Signed(bool withFilters)
    {
        JinjaExpression value;
        if (stream.Current.IsOperator("-") || stream.Current.IsOperator("+"))
        {
            JinjaToken sign = stream.Next();
            stream.Enter();
            value = new JinjaSign(sign.Line, sign.Text == "-", Signed(withFilters: false));
            stream.Leave();
        }
        else
        {
            value = _postfix.Primary(this);
        }

        value = _postfix.Postfix(this, value);
        return withFilters ? _postfix.FiltersAndTests(this, value) : value;
    }

    private void CheckChain(int links)
    {
        if (links >= LongestChain)
            throw stream.Fail($"more than {LongestChain} operators follow each other");
    }
}
