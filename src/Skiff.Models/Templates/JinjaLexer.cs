using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>Splits a template into text and tags, applying Jinja's white space control.</summary>
internal sealed class JinjaLexer
{
    private readonly JinjaRuntime _runtime;
    private readonly string _source;
    private readonly List<JinjaToken> _tokens = [];
    private readonly JinjaTagLexer _tags;
    private int _at;
    private int _line = 1;
    // Whether the last piece ended a line, so that lstrip_blocks may strip from here.
    private bool _lineStarting = true;

    private JinjaLexer(JinjaRuntime runtime, string source)
    {
        _runtime = runtime;
        _source = source;
        _tags = new JinjaTagLexer(runtime, source, _tokens);
    }

    public static List<JinjaToken> Tokenize(JinjaRuntime runtime, string source)
    {
        string text = source.Replace("\r\n", "\n", StringComparison.Ordinal).Replace('\r', '\n');
        if (!runtime.Options.KeepTrailingNewline && text.EndsWith('\n'))
            text = text[..^1];
        JinjaLexer lexer = new(runtime, text);
        lexer.Run();
        return lexer._tokens;
    }

    private void Run()
    {
        while (_at < _source.Length)
        {
            int tag = FindTag(_at);
            if (tag < 0)
            {
                AddData(_source[_at..]);
                break;
            }

            char kind = _source[tag + 1];
            if (kind == '%' && RawTag(tag, "raw", trim: false) is (char rawSign, int rawEnd))
            {
                AddText(_source[_at..tag], rawSign, isVariable: false);
                Advance(tag, rawEnd);
                ReadRaw();
                continue;
            }

            char sign = tag + 2 < _source.Length && _source[tag + 2] is '-' or '+' ? _source[tag + 2] : ' ';
            AddText(_source[_at..tag], sign, isVariable: kind == '{');
            Advance(tag, tag + (sign == ' ' ? 2 : 3));
            if (kind == '#')
                ReadComment();
            else
                ReadTag(isVariable: kind == '{');
        }

        _tokens.Add(new(JinjaTokenKind.End, "", _line));
    }

    private int FindTag(int from)
    {
        for (int at = from; ; at++)
        {
            at = _source.IndexOf('{', at);
            if (at < 0 || at + 1 >= _source.Length)
                return -1;
            if (_source[at + 1] is '{' or '%' or '#')
                return at;
        }
    }

    private void ReadTag(bool isVariable)
    {
        _tokens.Add(new(isVariable ? JinjaTokenKind.VariableBegin : JinjaTokenKind.BlockBegin, "", _line));
        int end = _tags.Read(_at, ref _line, isVariable, out int after);
        _tokens.Add(new(isVariable ? JinjaTokenKind.VariableEnd : JinjaTokenKind.BlockEnd, "", _line));
        Advance(end, after);
    }

    private void ReadComment()
    {
        int close = _source.IndexOf("#}", _at, StringComparison.Ordinal);
        if (close < 0)
        {
            // Jinja misses the end of a comment or raw block only where something stands in it.
            _at = _at == _source.Length ? _at : throw Fail("the comment has no end '#}'");
            return;
        }

        int begin = close > _at && _source[close - 1] is '-' or '+' ? close - 1 : close;
        _line += Newlines(_at, begin);
        Advance(begin, EndOf(begin, "#}"));
    }

    private void ReadRaw()
    {
        for (int tag = _at; ; tag++)
        {
            tag = _source.IndexOf("{%", tag, StringComparison.Ordinal);
            if (tag < 0)
            {
                _at = _at == _source.Length ? _at : throw Fail("the raw block has no end tag");
                return;
            }

            _runtime.Step();
            if (RawTag(tag, "endraw", trim: true) is not (char sign, int end))
                continue;
            AddText(_source[_at..tag], sign, isVariable: false);
            Advance(tag, end);
            return;
        }
    }

    // The sign and end of a raw or endraw tag that begins here; null where there is another tag.
    private (char Sign, int End)? RawTag(int tag, string name, bool trim)
    {
        int at = tag + 2;
        char sign = at < _source.Length && _source[at] is '-' or '+' ? _source[at++] : ' ';
        at = SkipSpace(at);
        if (string.CompareOrdinal(_source, at, name, 0, name.Length) != 0)
            return null;
        at = SkipSpace(at + name.Length);
        bool stripped = at < _source.Length && _source[at] == '-';
        if (stripped || (trim && at < _source.Length && _source[at] == '+'))
        {
            bool isEnd = string.CompareOrdinal(_source, at + 1, "%}", 0, 2) == 0;
            return isEnd ? (sign, stripped ? SkipSpace(at + 3) : at + 3) : null;
        }

        if (string.CompareOrdinal(_source, at, "%}", 0, 2) != 0)
            return null;
        return (sign, trim ? EndOf(at, "%}") : at + 2);
    }

    // The position after a closing mark: '-' eats the white space after it, '+' nothing, trim_blocks one newline.
    private int EndOf(int at, string mark)
    {
        if (_source[at] == '-')
            return SkipSpace(at + 1 + mark.Length);
        if (_source[at] == '+')
            return at + 1 + mark.Length;
        at += mark.Length;
        return _runtime.Options.TrimBlocks && at < _source.Length && _source[at] == '\n' ? at + 1 : at;
    }

    private int SkipSpace(int at)
    {
        while (at < _source.Length && JinjaText.IsSpace(_source[at]))
            at++;
        return at;
    }

    private void AddText(string text, char sign, bool isVariable)
    {
        int newlines = text.AsSpan().Count('\n');
        if (sign == '-')
        {
            text = JinjaText.TrimEnd(text);
        }
        else if (sign != '+' && _runtime.Options.LstripBlocks && !isVariable)
        {
            int start = text.LastIndexOf('\n') + 1;
            if ((start > 0 || _lineStarting) && start < text.Length && JinjaText.TrimEnd(text[start..]).Length == 0)
                text = text[..start];
        }

        AddData(text);
        _line += newlines;
    }

    private void AddData(string text)
    {
        if (text.Length > 0)
            _tokens.Add(new(JinjaTokenKind.Data, text, _line));
    }

    private void Advance(int from, int to)
    {
        _line += Newlines(from, to);
        _lineStarting = to > 0 && _source[to - 1] == '\n';
        _at = to;
    }

    private int Newlines(int from, int to) => _source.AsSpan(from, to - from).Count('\n');

    private InvalidInputException Fail(string problem)
    {
        _runtime.Line = _line;
        return _runtime.Fail(problem);
    }
}
