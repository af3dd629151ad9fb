"""Makes the golden files of this folder with the original Jinja2 (3.1): python3 make.py DATA_FOLDER.

chats.jsonl        every chat template with every conversation: the text or an error
expressions.jsonl  small templates: the text or an error
"""
import copy
import datetime
import itertools
import json
import pathlib
import sys

from jinja2 import StrictUndefined, TemplateError, Undefined
from jinja2.ext import Extension
from jinja2 import nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

HERE = pathlib.Path(__file__).parent
DATA = pathlib.Path(sys.argv[1])
NOW = datetime.datetime(2025, 3, 7, 9, 5, 2)


class Generation(Extension):
    """The generation tag of chat templates, which changes nothing in the text."""

    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return nodes.CallBlock(self.call_method("_body"), [], [], body).set_lineno(line)

    def _body(self, caller):
        return caller()


def environment(mode):
    chat = mode == "chat"
    env = ImmutableSandboxedEnvironment(
        trim_blocks=chat or mode == "trim", lstrip_blocks=chat or mode == "trim", keep_trailing_newline=mode == "strict",
        undefined=StrictUndefined if mode == "strict" else Undefined, extensions=["jinja2.ext.loopcontrols", Generation])
    if chat:
        def raise_exception(message):
            raise TemplateError(message)

        def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
            return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)

        env.filters["tojson"] = tojson
        env.globals["raise_exception"] = raise_exception
        env.globals["strftime_now"] = lambda form: NOW.strftime(form)
    return env


ENVIRONMENTS = {mode: environment(mode) for mode in ("plain", "trim", "strict", "chat")}


def render(mode, source, variables):
    try:
        return {"expected": ENVIRONMENTS[mode].from_string(source).render(**copy.deepcopy(variables))}
    except Exception:
        return {"error": True}


WEATHER = {"type": "function", "function": {
    "name": "get_weather", "description": "The weather of a place.\nNow, in <degrees> & \"words\".",
    "parameters": {"type": "object", "properties": {
        "city": {"type": "string", "description": "Where, e.g. Zürich"},
        "days": {"type": "integer", "description": " How many days "},
        "units": {"type": "string", "enum": ["C", "F"]},
        "points": {"type": "array", "items": {"type": "number"}}},
        "required": ["city"]}}}
NOTHING = {"type": "function", "function": {
    "name": "ping", "description": "Nothing.", "parameters": {"type": "object", "properties": {}}, "return": {"type": "string"}}}
NESTED = {"type": "function", "function": {
    "name": "plan", "description": "Makes a plan out of quite a long description of what should be done.",
    "parameters": {"type": "object", "properties": {
        "steps": {"type": "array", "items": {"type": "object", "properties": {"what": {"type": "string"}, "when": {"type": ["string", "null"]}}}},
        "map": {"type": "object", "additionalProperties": {"type": "boolean"}}, "x": {"type": ["integer", "null"]}, "ratio": {"type": "number", "default": 0.1}},
        "required": []}}}


def call(name, arguments, id="abcdefghi"):
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


SYSTEM = {"role": "system", "content": "You are terse.\n"}
USER = {"role": "user", "content": " Hello, who are you? "}
ANSWER = {"role": "assistant", "content": "A model.\nOf words."}
MORE = {"role": "user", "content": "Quote 'this' and \"that\" & <b>more</b> {{ braces }} {% tags %} \\n \\ end"}
WORLD = {"role": "user", "content": "Grüße 世界 🙂👩‍👩‍👧 \u202e \u0000\t\u00a0 Ω ⅷ \U0001d54f"}
THOUGHT = {"role": "assistant", "content": "<think>\nHm, \n</think>\n\nYes."}
CALLS = {"role": "assistant", "content": None, "tool_calls": [call("get_weather", {"city": "Zürich", "days": 2})]}
TWO = {"role": "assistant", "content": "Let me see.", "tool_calls": [call("get_weather", {"city": "<Bern> & 'Thun'"}), call("ping", {}, "x23456789")]}
RESULT = {"role": "tool", "tool_call_id": "abcdefghi", "name": "get_weather", "content": "{\"degrees\": 21.5}"}
PARTS = {"role": "user", "content": [{"type": "text", "text": " What is this? "}, {"type": "image"}, {"type": "text", "text": "And that?"}]}

CONVERSATIONS = [
    {"messages": [USER]},
    {"messages": [USER], "add_generation_prompt": True},
    {"messages": [SYSTEM, USER], "add_generation_prompt": True},
    {"messages": [SYSTEM, USER, ANSWER]},
    {"messages": [USER, ANSWER, MORE, ANSWER, WORLD], "add_generation_prompt": True},
    {"messages": [SYSTEM, WORLD, THOUGHT, MORE], "add_generation_prompt": True, "enable_thinking": False},
    {"messages": [USER, THOUGHT]},
    {"messages": [USER], "tools": [WEATHER], "add_generation_prompt": True},
    {"messages": [SYSTEM, USER], "tools": [WEATHER, NOTHING, NESTED], "add_generation_prompt": True, "controls": {"length": "long"}},
    {"messages": [USER, CALLS, RESULT], "tools": [WEATHER], "add_generation_prompt": True, "builtin_tools": ["get_weather", "code_interpreter"]},
    {"messages": [USER, CALLS, RESULT, ANSWER, MORE], "tools": [WEATHER], "tools_in_user_message": False, "date_string": "1 Jan 2025"},
    {"messages": [USER, TWO, RESULT, RESULT, ANSWER], "tools": [WEATHER, NOTHING]},
    {"messages": [PARTS], "add_generation_prompt": True},
    {"messages": [ANSWER, USER]},
    {"messages": [USER, USER, ANSWER]},
    {"messages": []},
]


def chats():
    templates = {path.name: path.read_text() for path in sorted((HERE / "chats").glob("*.jinja"))}
    for folder in ("qwen2", "phi3"):
        templates[folder] = json.loads((DATA / "tokenizers" / folder / "tokenizer_config.json").read_text())["chat_template"]
    for name, source in templates.items():
        for index, conversation in enumerate(CONVERSATIONS):
            variables = {"tools": None, "documents": None, "add_generation_prompt": False, "bos_token": "<s>", "eos_token": "</s>", **conversation}
            yield {"template": name, "conversation": index, **render("chat", source, variables)}


VARIABLES = {
    "s": "Hello, World", "u": "Grüße 世界 🙂!", "e": "", "sp": "  a b  c \n", "n": 7, "m": -3, "z": 0, "f": 2.5, "g": -0.1, "big": 12345678901234567890123,
    "t": True, "no": None, "l": [3, 1, 2], "w": ["b", "A", "c", "a"], "el": [], "d": {"b": 1, "a": 2, "items": 3}, "ed": {},
    "people": [{"name": "Ann", "age": 30, "city": "Rome"}, {"name": "bob", "age": 25, "city": "Oslo"}, {"name": "Cid", "age": 30, "city": "rome"}, {"age": 1}],
    "tree": [{"v": 1, "kids": [{"v": 2, "kids": []}, {"v": 3, "kids": [{"v": 4, "kids": []}]}]}, {"v": 5, "kids": []}],
    "html": "<a href=\"x\">&amp; it's</a><!-- c -->  b", "mixed": [1, "a", None, True, 2.0, [1, {"k": "v'\""}], {"x": [0.1, 1e20, -0.0]}],
    "long": "The quick brown fox, well-known and re-used, jumps over the extraordinarily lazy dog -- twice.\nSecond line  here.",
    "q": ["it's", "say \"x\"", "both '\"", "tab\t nl\n bs\\ \x00 \x7f \u00ad \u200b \u00e9 \U0001f642 \ue000"],
}


def operators():
    values = ["n", "m", "z", "f", "g", "t", "no", "s", "e", "l", "el", "d", "(1, 2)", "missing", "big", "2", "'a'"]
    ops = ["+", "-", "*", "/", "//", "%", "**", "~", "==", "!=", "<", "<=", ">", ">=", "in", "not in", "and", "or"]
    for op in ops:
        for left, right in itertools.product(values, values):
            if op == "**" and (left == "big" or right == "big"):
                continue
            if op == "*" and "big" in (left, right) and not {left, right} <= {"big", "n", "m", "z", "f", "g", "t", "2", "no", "d", "missing"}:
                continue
            yield "{{ %s %s %s }}" % (left, op, right)


def methods():
    texts = ["s", "u", "e", "sp", "'abcabc'", "'ŐŰßﬁ ΑΣ ǅx'", "'a,b,,c'", "'-12'", "'٣²½'", "'a\\tb\\r\\nc\\x0bd'"]
    calls = ["strip()", "strip('a ')", "lstrip()", "rstrip('c\\n')", "lstrip('H🙂')", "split()", "split(',')", "split('b', 1)", "split(None, 1)", "split(maxsplit=1)",
             "split(sep=',')", "rsplit(',', 1)", "rsplit(None, 1)", "rsplit()", "split('')", "splitlines()", "splitlines(True)", "upper()", "lower()", "title()",
             "capitalize()", "swapcase()", "casefold()", "startswith('H')", "startswith(('x', 'a'))", "startswith('b', 1)", "endswith('c')", "endswith(('!', 'd'))",
             "endswith('l', 0, 4)", "replace('a', 'XY')", "replace('a', 'X', 1)", "replace('', '-')", "replace('', '-', 2)", "replace('l', '')", "find('b')",
             "find('b', 2)", "find('b', -3, -1)", "rfind('b')", "rfind('')", "index('zz')", "index('a')", "count('a')", "count('')", "count('a', 1)",
             "join(['x', 'y'])", "join('xyz')", "join([1])", "format(1)", "zfill(8)", "center(15)", "center(16, '*')", "ljust(14)", "rjust(14, '界')", "center(3, 'xx')",
             "isdigit()", "isdecimal()", "isnumeric()", "isalpha()", "isalnum()", "isspace()", "isupper()", "islower()", "istitle()", "isascii()", "isidentifier()",
             "removeprefix('a')", "removesuffix('c')", "partition(',')", "rpartition('b')", "partition('')", "expandtabs()", "expandtabs(3)", "nope()", "upper(1)", "encode"]
    for text, method in itertools.product(texts, calls):
        if method != "encode":
            yield "{{ (%s).%s }}" % (text, method)
    for text in texts:
        for cut in ["0", "-1", "3", "99", "-99", "1:", ":-1", "::2", "::-1", "-3:", "5:2", "4:1:-1", ":", "-2::-2", "::0", "none:2", "true"]:
            yield "{{ (%s)[%s] }}" % (text, cut)


def filters():
    values = ["s", "u", "e", "sp", "n", "m", "f", "g", "t", "no", "l", "w", "el", "d", "ed", "html", "missing", "mixed", "range(5)", "(1, 2)", "q", "'3.7'", "' 42 '", "'x'", "1e20", "big", "d.items()"]
    uses = ["abs", "capitalize", "center(12)", "count", "length", "d('z')", "default('z', true)", "dictsort", "e", "escape", "escape|escape", "forceescape", "filesizeformat", "first", "last",
            "float", "float(1.5)", "int", "int(9)", "int(base=16)", "indent", "indent(2, true)", "indent('> ', blank=true)", "items|list", "join", "join('-')", "list", "lower", "max", "min",
            "replace('a', 'b')", "reverse|list", "round", "round(1)", "round(2, 'ceil')", "round(-1, 'floor')", "safe", "sort", "sort(reverse=true)", "sort(case_sensitive=true)", "string",
            "striptags", "sum", "sum(start=10)", "title", "tojson", "trim", "trim('H ')", "truncate(8)", "truncate(8, true)", "truncate(5, false, '', 0)", "unique|list", "upper",
            "urlencode", "wordcount", "wordwrap(12)", "xmlattr", "batch(2)|list", "batch(2, 'x')|list", "slice(2)|list", "slice(3, 'x')|list", "map('string')|list", "map('upper')|join(',')",
            "select|list", "reject|list", "select('string')|list", "reject('number')|list", "select('odd')|list", "string|length", "random_nope", "attr('upper') is callable"]
    for value, use in itertools.product(values, uses):
        yield "{{ (%s)|%s }}" % (value, use)


def tests():
    values = ["s", "e", "n", "m", "f", "t", "no", "l", "el", "d", "missing", "range(3)", "(1,)", "'UP'", "'low'", "8", "dict", "d.get", "'upper'", "'defined'", "s|e", "false"]
    uses = ["defined", "undefined", "none", "string", "number", "integer", "float", "boolean", "mapping", "iterable", "sequence", "callable", "odd", "even", "divisibleby 4", "divisibleby(0)",
            "eq 8", "equalto 's'", "ne 7", "lt 5", "le 7", "gt 2", "ge 7", "lessthan 'Z'", "greaterthan 3", "in [7, 8, 'e']", "in 'low case'", "true", "false", "upper", "lower", "filter", "test",
            "sameas true", "sameas none", "escaped", "not none", "not defined", "nope"]
    for value, use in itertools.product(values, uses):
        yield "{{ (%s) is %s }}" % (value, use)


LITERALS = """{{ 1 }}|{{ 1_000 }}|{{ 0x1F }}|{{ 0b101 }}|{{ 0o17 }}|{{ 00 }}|{{ 007 }}|{{ 1.0 }}|{{ 1.50 }}|{{ 1e3 }}|{{ 1.5e-7 }}|{{ 1e16 }}|{{ 1e15 }}|{{ 123456789012345680.0 }}|{{ 0.0001 }}|{{ 0.00001 }}
{{ 1e308 * 10 }}|{{ -1e308 * 10 }}|{{ 1e400 }}|{{ 5e-324 }}|{{ 0.1 + 0.2 }}|{{ 1/3 }}|{{ 2/3 }}|{{ 10 / 2 }}|{{ 7 // 2 }}|{{ -7 // 2 }}|{{ 7 % -3 }}|{{ -7 % 3 }}|{{ 7.5 // 2 }}|{{ -7.5 % 2 }}|{{ 7 // -2.0 }}
{{ 2 ** 10 }}|{{ 2 ** -1 }}|{{ 2 ** 0.5 }}|{{ -2 ** 2 }}|{{ 2 ** 3 ** 2 }}|{{ 2 ** 100 }}|{{ 0 ** 0 }}|{{ 0 ** -1 }}|{{ (-8) ** (1/3) }}|{{ 9223372036854775807 + 1 }}|{{ -9223372036854775808 - 1 }}
{{ 123456789012345678901234567890 }}|{{ 10 ** 30 // 7 }}|{{ -(10 ** 30) % 7 }}|{{ (10 ** 30) / 3 }}|{{ 10**22 / 10**2 }}|{{ 9007199254740993 / 1 }}|{{ 9007199254740993 * 1.0 }}|{{ 9007199254740993 == 9007199254740992.0 }}
{{ true }}|{{ True }}|{{ false }}|{{ none }}|{{ None }}|{{ True + True }}|{{ true * 3 }}|{{ -true }}|{{ +true }}|{{ not 1 }}|{{ not not '' }}|{{ 1 < 2 < 3 }}|{{ 1 < 3 < 2 }}|{{ 1 == 1.0 == true }}
{{ 3 > 2 == true }}|{{ 1 in [1] == true }}|{{ 'a' 'b' "c" }}|{{ 'it''s' }}|{{ "\\n\\t\\\\\\x41\\u00e9\\U0001F642\\101\\q\\'" }}|{{ 'a\\
b' }}|{{ '\\é' }}|{{ '\\x4' }}|{{ '\\u12' }}|{{ '\\U00110000' }}|{{ '\\777' }}|{{ '\\0' }}
{{ [] }}|{{ [1,] }}|{{ [1, 2,] }}|{{ () }}|{{ (1) }}|{{ (1,) }}|{{ 1, 2 }}|{{ 1, }}|{{ {} }}|{{ {'a': 1,} }}|{{ {'a': {'b': [1, (2, 3)]}} }}|{{ {1: 2, true: 3, 1.0: 4} }}|{{ {[1]: 2} }}|{{ {(1, 'a'): 2}[(1, 'a')] }}|{{ {none: 1}[none] }}
{{ mixed }}|{{ q }}|{{ q|join }}|{{ d }}|{{ [missing] }}|{{ ['<'|e] }}|{{ range(3) }}|{{ range(1, 10, 3) }}|{{ range(5)[1:3] }}|{{ range(10)[::-3] }}|{{ range(10)|list }}|{{ range(5, 0, -2)|list }}|{{ range(0) }}|{{ range(1, 5)[-1] }}|{{ range(3) == range(0, 3) }}
{{ d.items() }}|{{ d.keys() }}|{{ d.values() }}|{{ d.items }}X|{{ d['items'] }}|{{ d.a }}|{{ d['a'] }}|{{ d.zz }}|{{ d.zz.y }}|{{ d['zz'] }}|{{ d.get('a') }}|{{ d.get('zz') }}|{{ d.get('zz', 5) }}|{{ d.items()|list }}|{{ d|length }}|{{ d.items()|length }}|{{ d.keys()|list }}
{{ d.pop('a') }}|{{ d.update({'x': 1}) }}|{{ l.append(1) }}|{{ l.sort() }}|{{ d.pop }}|{{ d.pop is defined }}|{{ l.index(1) }}|{{ l.index(9) }}|{{ l.count(3) }}|{{ l.0 }}|{{ l.1 }}|{{ l[9] }}|{{ l['0'] }}|{{ l[1.0] }}|{{ l[true] }}|{{ l[-1] }}|{{ l[1:] }}|{{ l[::-1] }}|{{ l[5:] }}|{{ l[-2:-1] }}|{{ (1, 2, 3)[1:] }}
{{ s._x }}|{{ s.upper }}X|{{ n.foo }}|{{ no.foo }}|{{ no['foo'] }}|{{ no.foo.bar }}|{{ missing.foo }}|{{ missing['x'] }}|{{ missing() }}|{{ s() }}|{{ missing + 1 }}|{{ -missing }}|{{ missing == missing }}|{{ missing == none }}|{{ missing ~ 'x' }}|{{ missing|length }}|{{ missing|list }}|{{ missing in [1] }}|{{ 1 in missing }}|{{ missing|tojson }}|{{ missing|int }}|{{ not missing }}
{{ 'a' if true }}|{{ 'a' if false }}|{{ 'a' if false else 'b' }}|{{ 'a' if 0 else 'b' if 0 else 'c' }}|{{ ('a' if false) is undefined }}|{{ 1 if x is defined else 2 }}|{{ 'x' ~ 1 ~ none ~ 1.0 ~ [1] }}|{{ 'a' ~ 'b' == 'ab' }}|{{ 1 ~ 2 + 3 }}|{{ 1 + 2 ~ 3 }}|{{ -1|abs }}|{{ (-1)|abs }}|{{ -s|length }}|{{ 2 * 3|string }}
{{ '%s and %d' % ('a', 3) }}|{{ '%5.2f|%-6s|%06d|%+d|%x|%o|%e|%g|%c|%%' % (3.14159, 'ab', 42, 7, 255, 8, 12345.678, 0.0001, 'z') }}|{{ '%s' % [1] }}|{{ '%s' % 'x' }}|{{ '%(a)s-%(b)03d' % {'a': 1, 'b': 2} }}|{{ '%d' % 'x' }}|{{ '%s %s' % 'x' }}|{{ '%s' % ('a', 'b') }}|{{ 'x' % [] }}|{{ 'x' % 1 }}|{{ '%r' % 'x' }}|{{ '%5s|%-5s|%.2s' % ('a', 'b', 'cde') }}|{{ '%#x %#o' % (255, 8) }}|{{ '%g' % 1e10 }}|{{ '%g' % 100000 }}|{{ '%.3g' % 1234.5 }}|{{ '%i' % 3.99 }}|{{ '%.0f %.0f' % (0.5, 1.5) }}|{{ '%z' % 1 }}|{{ '%' % 1 }}|{{ '%*d' % (5, 3) }}|{{ '%.3d' % 5 }}|{{ '%s' % none }}
{{ '{} {}'.format(1, 'a') }}|{{ '{1} {0}'.format(1, 2) }}|{{ '{a.b} {c[0]} {c[k]}'.format(a={'b': 1}, c={'k': 3}) }}|{{ '{:>5}|{:<5}|{:^5}|{:*^7}'.format('a', 'b', 'c', 'd') }}|{{ '{:05d} {:+} {:,} {:_} {:x} {:#b} {:.2f} {:e} {:%} {:g}'.format(42, 3, 1234567, 1234567, 255, 5, 2.345, 12345.6, 0.25, 1e-5) }}|{{ '{!r} {!s}'.format('a', 'b') }}|{{ '{{}}'.format() }}|{{ '{'.format() }}|{{ '}'.format() }}|{{ '{}'.format() }}|{{ '{} {0}'.format(1) }}|{{ '{:{}}'.format('a', 5) }}|{{ '{:.3}'.format('abcdef') }}|{{ '{:d}'.format('a') }}|{{ '{:.2}'.format(3.14159) }}|{{ '{:10.3}'.format(1234.5) }}|{{ '{:,.2f}'.format(1234567.891) }}|{{ '{:08,.1f}'.format(-1234.56) }}|{{ '{:c}'.format(65) }}|{{ '{:>3}'.format(none) }}|{{ '{}'.format(none) }}|{{ '{:5}'.format(true) }}|{{ '{:n}'.format(5) }}|{{ '{x}'.format_map({'x': 1}) }}
{{ 'x'|format(1) }}|{{ '%s-%s'|format(1, 'b') }}|{{ '%(a)s'|format(a=3) }}|{{ 42.55|round }}|{{ 42.55|round(1) }}|{{ 2.5|round }}|{{ 3.5|round }}|{{ 0.125|round(2) }}|{{ 2.675|round(2) }}|{{ 1234|round(-2) }}|{{ 1250|round(-2) }}|{{ 42.1|round(0, 'ceil') }}|{{ 42|round(0, 'ceil') }}|{{ -1.5|round(0, 'floor') }}|{{ 1.5|round(method='nope') }}|{{ 1e300|round(2) }}|{{ -0.4|round }}|{{ 12345.678|round(-2) }}|{{ 5|round(none) }}|{{ 2.7|round(none) }}
{{ '0x1f'|int(base=16) }}|{{ '1f'|int(0, 16) }}|{{ '0b11'|int(0, 2) }}|{{ '0x1f'|int(7, 0) }}|{{ '1_000'|int }}|{{ '_1'|int }}|{{ 'inf'|int }}|{{ 'inf'|float }}|{{ '-inf'|float }}|{{ 'nan'|float }}|{{ '1e3'|int }}|{{ '1e3'|float }}|{{ '.5'|float }}|{{ '5.'|float }}|{{ '1_0.5'|float }}|{{ ''|int }}|{{ none|int(5) }}|{{ []|float(2.5) }}|{{ 3.99|int }}|{{ -3.99|int }}|{{ 1e30|int }}|{{ '-'|int }}|{{ ' +5 '|int }}
{{ 1000|filesizeformat }}|{{ 1|filesizeformat }}|{{ 999|filesizeformat }}|{{ 123456789|filesizeformat }}|{{ 123456789|filesizeformat(true) }}|{{ 1024|filesizeformat(binary=true) }}|{{ 1e30|filesizeformat }}|{{ '5000'|filesizeformat }}
{{ people|map(attribute='name')|list }}|{{ people|map(attribute='name', default='?')|join(', ') }}|{{ people|selectattr('name')|map(attribute='age')|sum }}|{{ people|selectattr('age', 'gt', 26)|list|length }}|{{ people|rejectattr('name', 'defined')|list }}|{{ people|sum(attribute='age') }}|{{ people|selectattr('name')|sort(attribute='name')|map(attribute='name')|list }}|{{ people|selectattr('name')|sort(attribute='age,name', reverse=true)|map(attribute='name')|list }}|{{ people|groupby('city')|list }}|{{ people|groupby('city', default='-')|map(attribute='grouper')|list }}|{{ people|groupby('city', case_sensitive=true)|map('first')|list }}|{{ people|max(attribute='age') }}|{{ people|min(attribute='age') }}|{{ people|unique(attribute='age')|list|length }}|{{ people|join('|', attribute='name') }}|{{ people|map('nope')|list }}|{{ people|map()|list }}|{{ people|selectattr() }}|{{ people|map(attribute='name', nope=1)|list }}|{{ people|sort(attribute='name')|list }}
{{ w|sort }}|{{ w|sort(case_sensitive=true) }}|{{ w|unique|list }}|{{ ['a', 'A', 'b']|unique|list }}|{{ ['a', 'A']|unique(true)|list }}|{{ w|max }}|{{ w|min }}|{{ [1, 'a']|sort }}|{{ [[2, 1], [1, 5]]|sort }}|{{ [true, 0, 2]|sort }}|{{ d|dictsort }}|{{ d|dictsort(by='value') }}|{{ d|dictsort(reverse=true) }}|{{ d|dictsort(by='x') }}|{{ []|first }}|{{ []|last }}|{{ []|max }}|{{ []|sum }}|{{ ['a']|sum }}|{{ [[1], [2]]|sum(start=[]) }}|{{ 'abc'|first }}|{{ 'abc'|last }}|{{ d|first }}|{{ d|last }}|{{ 5|first }}
{{ [1, 2, 3, 4, 5]|batch(2)|map('list')|list }}|{{ [1, 2, 3]|batch(0)|list }}|{{ [1, 2, 3]|slice(0)|list }}|{{ [1]|slice(3)|list }}|{{ 'abcd'|batch(3, '-')|list }}|{{ 'abc'|reverse }}|{{ [1, 2]|reverse|list }}|{{ d|reverse|list }}|{{ ['a', 'b']|map('upper')|list }}|{{ [1, 2, 3]|map('string')|join }}|{{ ['a,b', 'c']|map('replace', ',', ';')|list }}|{{ [1, 2, 3]|select('gt', 1)|list }}|{{ [1, none, 0]|reject('none')|list }}|{{ none|map('upper')|list }}|{{ 5|map('upper')|list }}|{{ [1, 2]|select('nope')|list }}
{{ {'a': '<b>', 'c': "it's & \\u00e9 \\n\\u0001"}|tojson }}|{{ {'b': 1, 'a': [1, 2.50, none, true]}|tojson }}|{{ mixed|tojson }}|{{ mixed|tojson(indent=2) }}|{{ {'b': {}, 'a': []}|tojson(indent=1) }}|{{ []|tojson(indent=2) }}|{{ (1, 2)|tojson }}|{{ {1: 2, none: 3, true: 4, 1.5: 5}|tojson }}|{{ {(1, 2): 3}|tojson }}|{{ range(3)|tojson }}|{{ '/\\\\"'|tojson }}|{{ u|tojson }}|{{ q|tojson }}|{{ 'nan'|float|tojson }}|{{ '<'|e|tojson }}|{{ d.items()|tojson }}|{{ big|tojson }}|{{ {'b': 1, 'a': 2}|tojson(4) }}|{{ d|tojson(indent=0) }}|{{ d|tojson(indent='--') }}
{{ html|striptags }}|{{ html|e }}|{{ (html|e)|e }}|{{ html|safe|e }}|{{ html|e|forceescape }}|{{ ('<'|e) + '<' }}|{{ '<' + ('<'|e) }}|{{ ('<'|e) ~ '<' }}|{{ ('<%s>'|safe) % '<' }}|{{ ('<'|e)|upper }}|{{ ('a<b'|e).split('&') }}|{{ ('<'|safe).join(['<', '>'|safe]) }}|{{ ['<', '<'|e]|join(',') }}|{{ ('x'|safe).replace('x', '<') }}|{{ 'x'|safe|replace('x', '<') }}|{{ ('<'|e) * 2 }}|{{ ('<'|e) == '&lt;' }}|{{ ('{}'|safe).format('<') }}|{{ ('<'|e)[0] }}|{{ ('<'|e)|length }}|{{ ('<'|e)|list }}|{{ 1|e }}|{{ none|e }}|{{ ['<']|e }}
{{ {'a': 1, 'b': none, 'c': '<"'}|xmlattr }}|{{ {'a b': 1}|xmlattr }}|{{ {'a': 1}|xmlattr(false) }}|{{ 'a b/c?d=é&~'|urlencode }}|{{ {'a b': 'c/d', 'e': 1}|urlencode }}|{{ [('a', 1), ('b', 2)]|urlencode }}|{{ 5|urlencode }}|{{ [1]|urlencode }}
{{ long|wordwrap(20) }}|{{ long|wordwrap(10, false) }}|{{ long|wordwrap(10, wrapstring='|') }}|{{ long|wordwrap(12, break_on_hyphens=false) }}|{{ long|wordwrap(5) }}|{{ long|wordwrap(0) }}|{{ long|truncate(20) }}|{{ long|truncate(20, true) }}|{{ long|truncate(20, end='…') }}|{{ long|truncate(2) }}|{{ long|wordcount }}|{{ long|title }}|{{ long|indent }}|{{ long|indent(3, true, true) }}|{{ long|center(200) }}|{{ 'foo bar baz qux'|truncate(9) }}|{{ 'foo bar baz qux'|truncate(11) }}|{{ 'foo bar baz qux'|truncate(11, false, '...', 0) }}|{{ 'a\\n\\nb'|indent }}|{{ ''|indent(first=true) }}
{{ range(100001) }}|{{ range(100000)|length }}|{{ range() }}|{{ range(1, 2, 0) }}|{{ range('a') }}|{{ range(2.0) }}|{{ dict(a=1, b=2) }}|{{ dict([('a', 1)]) }}|{{ dict({'a': 1}, b=2) }}|{{ dict(1) }}|{{ namespace(a=1).a }}|{{ namespace(a=1) }}|{{ namespace({'a': 1}, b=2).b }}|{{ namespace(a=1)['a'] }}|{{ namespace().x }}|{{ nope() }}|{{ range(3)|join(sep=1) }}|{{ s|nofilter }}|{{ s is notest }}|{{ s|upper(1) }}|{{ s|replace }}|{{ s|replace('a') }}|{{ s|default(default_value=3) }}|{{ missing|default(default_value=3) }}|{{ missing|d(boolean=true) }}
{{ d|attr('items') is callable }}|{{ d|attr('a') }}|{{ d.items is callable }}|{{ s|attr('nope') is undefined }}|{{ dict is callable }}|{{ missing is callable }}|{{ 1 is divisibleby 0 }}|{{ 'a' is eq 'a' }}|{{ 1 is eq(1) }}|{{ 1 is in [1] }}|{{ 1 is not in [1] }}|{{ 1 is number is string }}|{{ none is none and none is not defined }}|{{ s is string and n is number or false }}|{{ not s is string }}|{{ 3 is odd if true else 0 }}|{{ [1, 2] is sameas [1, 2] }}|{{ l is sameas l }}
{{ l.copy() }}|{{ d.copy() }}|{{ [1, 2] + [3] }}|{{ (1,) + (2,) }}|{{ [1] + (2,) }}|{{ [1] * 3 }}|{{ 3 * 'ab' }}|{{ 'ab' * -1 }}|{{ [1, 2] < [1, 3] }}|{{ [1] < [1, 0] }}|{{ (1, 2) == [1, 2] }}|{{ [1.0, true] == [1, 1] }}|{{ {'a': 1} == {'a': 1.0} }}|{{ 'a' < 'b' }}|{{ 'Z' < 'a' }}|{{ '\\uffff' < '\\U0001F642' }}|{{ 'a' in 'cat' }}|{{ '' in 'cat' }}|{{ 1 in 'cat' }}|{{ 'a' in d }}|{{ [1] in d }}|{{ 2 in (1, 2) }}|{{ 3 in range(5) }}|{{ 2.0 in range(5) }}|{{ 'a' in d.keys() }}|{{ ('a', 2) in d.items() }}|{{ none < 1 }}|{{ none == 0 }}|{{ true == 1 }}|{{ 'nan'|float == 'nan'|float }}
{{ u|length }}|{{ u[-2] }}|{{ u[::-1] }}|{{ u|reverse }}|{{ u|list }}|{{ u|upper }}|{{ u.find('🙂') }}|{{ u|truncate(8, true, '', 0) }}|{{ u|center(20) }}|{{ '%-6s|' % '🙂' }}|{{ u|urlencode }}|{{ u|wordcount }}|{{ '🙂🙂'|batch(1)|list }}|{{ '🙂a'.split('a') }}|{{ 'x🙂'.strip('🙂') }}|{{ 'e\\u0301' == 'é' }}
{{ 1 +}}|{{ }}|{{ 1 2 }}|{{ (1 }}|{{ [1 }}|{{ {1} }}|{{ 'a }}|{{ a b }}|{{ a. }}|{{ a.'b' }}|{{ a[ }}|{{ a[] }}|{{ a[1, 2] }}|{{ d['a', 'b'] }}|{{ f( }}|{{ f(a=1, 2) }}|{{ f(**d, **d) }}|{{ dict(*[[('a', 1)]]) }}|{{ dict(**{'x': 1}) }}|{{ dict(**1) }}|{{ 1 = 2 }}|{{ ! }}|{{ a ? b }}|{{ $ }}|{{ @ }}|{{ # }}|{{ 1 if }}|{{ not }}|{{ is }}|{{ 1 is }}|{{ 1| }}|{{ |upper }}|{{ 1..2 }}|{{ 1.e }}|{{ s['a':] }}|{{ d[1:] }}|{{ no[1:] }}|{{ missing[1:] }}|{{ x.1.2 }}|{{ l.0.1 }}|{{ not in [1] }}|{{ 1 not [1] }}|{{ ) }}|{{ (] }}|{{ } }}|{{ x|upper.y }}|{{ {'a' 1} }}|{{ {,} }}|{{ [,] }}|{{ ((1)) }}|{{ (1,2,)[0] }}|{{ [1][0] }}|{{ {'a': 1}.a }}|{{ 'abc'.upper()|lower }}|{{ ('a')('b') }}|{{ s|upper|lower|title }}|{{ s | replace ( 'l' , 'L' ) }}|{{- 1 -}}|{{+ 1 }}|{{ 1 +}}|{%|{{|{#|{# a #}b|{% raw %}{{ x }}{% endraw %}"""

STATEMENTS = r"""
{% if n %}a{% endif %}
{% if z %}a{% elif n %}b{% else %}c{% endif %}
{% if z %}a{% elif e %}b{% else %}c{% endif %}
{% if missing %}a{% else %}b{% endif %}
{% if n > 3 and s %}yes{% endif %}
{% if n, %}tuple{% endif %}
{% if %}x{% endif %}
{% if n %}a
{% endif %}
{% else %}
{% if n %}{% for x in l %}{% endif %}{% endfor %}
{% for x in l %}{{ x }},{% endfor %}
{% for x in l %}{{ loop.index }}{{ loop.index0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.depth }}{{ loop.depth0 }};{% endfor %}
{% for x in l %}{{ loop.previtem }}<{{ x }}>{{ loop.nextitem }}|{% endfor %}
{% for x in l %}{{ loop.previtem is defined }}{{ loop.nextitem is defined }}{% endfor %}
{% for x in l %}{{ loop.cycle('a', 'b') }}{% endfor %}
{% for x in l %}{{ loop.cycle() }}{% endfor %}
{% for x in [1, 1, 2, 2, 1] %}{{ loop.changed(x) }} {% endfor %}
{% for x in [1, 1, 2] %}{% if loop.changed(x, 1) %}{{ x }}{% endif %}{% endfor %}
{% for x in l %}{{ loop }}{% endfor %}
{% for x in l %}{{ loop.nope }}{% endfor %}
{% for x in l if x > 1 %}{{ loop.index }}/{{ loop.length }}:{{ x }} {{ loop.last }};{% endfor %}
{% for x in l if x > 9 %}{{ x }}{% else %}none{% endfor %}
{% for x in [] %}{{ x }}{% else %}empty{% endfor %}
{% for x in missing %}{{ x }}{% else %}empty{% endfor %}
{% for x in no %}{{ x }}{% endfor %}
{% for x in 5 %}{{ x }}{% endfor %}
{% for c in 'a🙂b' %}[{{ c }}]{% endfor %}
{% for k in d %}{{ k }}{% endfor %}
{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}
{% for k, v in d|dictsort %}{{ k }}={{ v }};{% endfor %}
{% for (a, b), c in [((1, 2), 3)] %}{{ a }}{{ b }}{{ c }}{% endfor %}
{% for a, b in [[1, 2, 3]] %}{{ a }}{% endfor %}
{% for a, b in [1] %}{{ a }}{% endfor %}
{% for a, in [[1], [2]] %}{{ a }}{% endfor %}
{% for x in 1, 2, 3 %}{{ x }}{% endfor %}
{% for x in l %}{% for y in l %}{{ x * y }}{{ loop.index }} {% endfor %}{{ loop.index }}|{% endfor %}
{% for x in l %}{% set outer = loop %}{% for y in w %}{{ outer.index }}{{ loop.index }} {% endfor %}{% endfor %}
{% for node in tree recursive %}{{ node.v }}@{{ loop.depth }}{% if node.kids %}({{ loop(node.kids) }}){% endif %}{% endfor %}
{% for node in tree recursive %}{{ node.v }}{{ loop(node.kids) }}{% else %}-{% endfor %}
{% for node in tree %}{{ loop(node.kids) }}{% endfor %}
{% for x in l recursive %}{{ x }}{% if x > 1 %}{{ loop([x - 1]) }}{% endif %};{% endfor %}
{% for x in range(10) %}{% if x == 2 %}{% continue %}{% endif %}{% if x == 5 %}{% break %}{% endif %}{{ x }}{% endfor %}
{% for x in l %}{% for y in l %}{% if y == 1 %}{% break %}{% endif %}{{ y }}{% endfor %}{{ x }}{% endfor %}
{% for x in l %}{% break %}{% else %}never{% endfor %}
{% for x in [] %}{% else %}{% break %}{% endfor %}
{% break %}
{% for x in l %}{% macro m() %}{% break %}{% endmacro %}{% endfor %}
{% for x in l %}{% filter upper %}a{% continue %}{% endfilter %}{% endfor %}x
{% for x in l %}{% set y %}a{% break %}{% endset %}{% endfor %}x
{% for x in l|map('string') %}{{ x }}{{ loop.length }}{{ loop.last }}{% endfor %}
{% for x in l|reverse %}{{ x }}{% endfor %}
{% for x in people|selectattr('name') if x.age == 30 %}{{ x.name }}{% endfor %}
{% set g = l|map('string') %}{{ g|list }}{{ g|list }}
{% set g = l|map('string') %}{{ g|first }}{{ g|first }}{{ g|list }}
{% set g = l|map('string') %}{{ 1 if g else 2 }}{{ g|length }}
{% set g = l|select('odd') %}{{ g[0] }}|{{ '3' in g }}
{% set x = 1 %}{{ x }}
{% set x = 1, 2 %}{{ x }}
{% set a, b = 1, 2 %}{{ a }}{{ b }}
{% set a, b = b, a %}{{ a }}
{% set (a, b) = l[:2] %}{{ a }}{{ b }}
{% set a, b = 1 %}{{ a }}
{% set x = 1 %}{% for i in l %}{% set x = i %}{{ x }}{% endfor %}{{ x }}
{% set x = 1 %}{% for i in l %}{{ x }}{% set x = i %}{% endfor %}{{ x }}
{% for i in l %}{% if i == 1 %}{% set x = 5 %}{% endif %}[{{ x }}]{% endfor %}
{% for i in l %}{% if i == 3 %}{% set s = 5 %}{% endif %}[{{ s }}]{% endfor %}
{% if true %}{% set x = 3 %}{% endif %}{{ x }}
{% set x %}a{{ n }}b{% endset %}{{ x }}{{ x|length }}
{% set x | upper | replace('A', 'z') %}a{{ n }}b{% endset %}{{ x }}
{% set x | length %}abc{% endset %}{{ x + 1 }}
{% set x %}{% set y = 1 %}{{ y }}{% endset %}{{ x }}{{ y }}
{% set ns = namespace(x=1) %}{% for i in l %}{% set ns.x = ns.x + i %}{% endfor %}{{ ns.x }}
{% set ns = namespace() %}{% set ns.y %}block{% endset %}{{ ns.y }}{{ ns }}
{% set ns.x = 1 %}
{% set d.x = 1 %}
{% set ns = namespace(a=1) %}{% set ns.a, b = 5, 6 %}{{ ns.a }}{{ b }}
{% set ns = namespace(a=1) %}{{ ns.b }}|{{ ns.a }}|{{ ns['a'] }}
{% set true = 1 %}
{% set 1 = 2 %}
{% set a.b.c = 2 %}
{% set a[0] = 2 %}
{% set x %}
{% set loop = 1 %}{{ loop }}
{% for x in l %}{% set loop = 1 %}{% endfor %}
{% for loop in l %}{% endfor %}
{% macro m(a, b=2) %}[{{ a }}{{ b }}]{% endmacro %}{{ m(1) }}{{ m(1, 3) }}{{ m(b=5, a=4) }}{{ m() }}
{% macro m(a, b=a) %}{{ b }}{% endmacro %}{{ m(1) }}{{ m(1, 2) }}
{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1, 2) }}
{% macro m(a) %}{{ a }}{% endmacro %}{{ m(x=2) }}
{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1, a=2) }}
{% macro m() %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, 'b', c=3) }}
{% macro m(a) %}{{ a }}{{ varargs|length }}{{ kwargs|dictsort }}{% endmacro %}{{ m(1, 2, z=3, y=4) }}
{% macro m(a, b) %}{{ a is defined }}{{ b is defined }}{% endmacro %}{{ m(1) }}
{% macro m(a=1, b) %}{% endmacro %}
{% macro m(a, a) %}{% endmacro %}
{% macro m() %}x{% endmacro %}{{ m }}{{ m.name }}{{ m.arguments }}
{% macro m(a, b=1) %}x{% endmacro %}{{ m.arguments }}{{ m.catch_kwargs }}{{ m.catch_varargs }}{{ m.caller }}
{% macro m() %}{{ x }}{% endmacro %}{% set x = 5 %}{{ m() }}
{% macro m() %}{% set x = 9 %}{{ x }}{% endmacro %}{{ m() }}{{ x }}
{% macro outer() %}{% macro inner(v) %}<{{ v }}>{% endmacro %}{{ inner(1) }}{{ inner(2) }}{% endmacro %}{{ outer() }}
{% macro fact(k) %}{{ 1 if k <= 1 else k * fact(k - 1)|int }}{% endmacro %}{{ fact(10) }}
{% macro m() %}a{% endmacro %}{{ m() ~ m() }}{{ m()|upper }}{{ m() is string }}
{% macro wrap(t) %}<{{ t }}>{{ caller() }}</{{ t }}>{% endmacro %}{% call wrap('b') %}x{{ n }}{% endcall %}
{% macro each(xs) %}{% for x in xs %}{{ caller(x, loop.index) }};{% endfor %}{% endmacro %}{% call(v, i) each(l) %}{{ i }}:{{ v }}{% endcall %}
{% macro m() %}{{ caller is defined }}{% endmacro %}{{ m() }}{% call m() %}{% endcall %}
{% macro m() %}x{% endmacro %}{% call m() %}y{% endcall %}
{% macro m() %}{{ caller() }}{% endmacro %}{{ m() }}
{% macro m(caller=none) %}{{ caller is none }}{% endmacro %}{{ m() }}{% call m() %}{% endcall %}
{% call s %}x{% endcall %}
{% call s.upper() %}x{% endcall %}
{% call l.count(1) %}x{% endcall %}
{% call(a, b=2) nope() %}{% endcall %}
{% filter upper %}a{{ s }}{% endfilter %}
{% filter replace('a', 'b')|upper %}banana{% endfilter %}
{% filter length %}abc{% endfilter %}
{% filter nope %}abc{% endfilter %}
{% filter trim %}  {% set x = 1 %}{{ x }}  {% endfilter %}{{ x }}
{% with %}{% set x = 1 %}{{ x }}{% endwith %}{{ x }}
{% with x = 1, y = 2 %}{{ x }}{{ y }}{% endwith %}{{ x }}
{% with x = 1 %}{% with x = 2, y = x %}{{ x }}{{ y }}{% endwith %}{{ x }}{% endwith %}
{% with a, b = (1, 2) %}{{ a }}{% endwith %}
{% raw %}{{ x }} {% if %}{# c #}{% endraw %}
a {%- raw -%} {{ x }} {%- endraw -%} b
{% raw %}
{% raw %} x {% endraw
a{# comment #}b
a {#- comment -#} b
a {# {{ x }} {% y %} #} b
{# open
{##}x{#-#}y{#--#}z
{% print n %}{% print n, s %}
{% include 'x' %}
{% import 'x' as y %}
{% extends 'x' %}
{% from 'x' import y %}
{% nope %}
{% endif %}
{% %}
{% if n: %}colon{% endif %}{% for x in l: %}{{ x }}{% endfor: %}
{% if true %}{{ 1|nope }}{% endif %}
{% if false %}{{ 1|nope }}{% endif %}ok
{% if false %}{{ 1 is nope }}{% endif %}ok
{% for x in [] %}{{ 1|nope }}{% endfor %}ok
{% set c = cycler('a', 'b') %}{{ c.next() }}{{ c.next() }}{{ c.next() }}{{ c.current }}{{ c.reset() }}{{ c.current }}
{% set j = joiner() %}{{ j() }}a{{ j() }}b{{ j() }}c
{% set j = joiner('|') %}{% for x in l %}{{ j() }}{{ x }}{% endfor %}
{{ cycler() }}
{% generation %}a{% set x = 1 %}{{ x }}{% endgeneration %}b{{ x }}
{% for i in l %}{% generation %}{{ i }}{% endgeneration %}{% endfor %}
{% for x in [1] %}{{ x }}{% endfor %}{{ x }}
{% for item in l %}{{ loop.index }}{% endfor %}{{ loop }}
{% set items = [] %}{% for x in l %}{% set items = items + [x] %}{% endfor %}{{ items }}
{% set ns = namespace(items=[]) %}{% for x in l %}{% set ns.items = ns.items + [x * 2] %}{% endfor %}{{ ns.items }}
{% set ns = namespace(found=false) %}{% for x in l if not ns.found %}{{ x }}{% set ns.found = true %}{% endfor %}
{% set ns = namespace(found=false) %}{% for x in l if not ns.found %}{{ x }}{{ loop.last }}{% set ns.found = true %}{% endfor %}
{{ [1, 2, 3]
  | join(
    ', ') }}
"""

WHITESPACE = ["a\n  {% if true %}\n  b\n  {% endif %}\nc\n", "  {%- if true -%}  x  {%- endif -%}  y\n", "a\n\t{%+ if true %}\nb\n {%- endif +%}\nc", "{% if true %}\n\n\nx{% endif %}\n\n",
              "x  {{- 1 -}}  y\n\n {{ 2 }} \nz", "  {# c #}\n  a\n", "a {# c -#} \n b", "a\n   {#- c #}\n b", "  {% raw %}\n  {{ x }}\n  {% endraw %}\n  z\n", "a\r\nb\rc\n{{ 1 }}\r\n", "a\n\n", "\n", "", "  ",
              "a  \n  {%- for x in [1,2] %}\n  {{ x }}\n  {%- endfor %}\nend", "{% for x in [1,2] -%}\n {{ x }}\n{%- endfor %}", "x {% if 1 %}{% endif %} y", "  {% set x = 1 %}  \n  {{ x }}\n", "{% set x = 1 %}\n\nafter",
              "\ta\n\t {% if 1 %} b {% endif %}\t\n", "{{ 1 }}\n{{ 2 }}\n", "{%- set a = 1 %}\n\n{%+ set b = 2 %}\n  {%+ if 1 +%}\nq{% endif %}", "line\n  {% if 1 %}{% if 1 %}\n  in\n  {% endif %}{% endif %}\nout",
              "{#+ a +#}\nb", "  {%+ raw +%} x {%+ endraw +%}\n y", "a\u00a0{%- if 1 %}b{% endif %}", "a\u2028{{- 1 }}", "{{ 'x\n\ry' }}", "  {%-raw-%}  x  {%-endraw-%}  ", "a{{ '}}' }}{{ '%}' }}{% if '%}' %}b{% endif %}",
              "{{ {'a': {'b': 1}}['a']['b'] }}{{{'a':1}['a']}}", "{{ '{{' }} }} %} #} { % {", "{% if 1 %}a{% endif %}\n   \n   {% if 1 %}b{% endif %}", "\n\n  {% if 1 %}x{% endif %}"]

CHAT = """{{ d|tojson }}
{{ mixed|tojson }}
{{ html|tojson }}
{{ u|tojson }}
{{ u|tojson(ensure_ascii=true) }}
{{ q|tojson }}
{{ q|tojson(true) }}
{{ d|tojson(indent=2) }}
{{ mixed|tojson(indent=4) }}
{{ mixed|tojson(indent='\\t', sort_keys=true) }}
{{ d|tojson(sort_keys=true, separators=(',', ':')) }}
{{ d|tojson(separators=(',',)) }}
{{ d|tojson(separators=1) }}
{{ d|tojson(nope=1) }}
{{ {1: 2, none: 3, false: 4, 0.5: 1}|tojson }}
{{ {1: 2, 'a': 3}|tojson(sort_keys=true) }}
{{ missing|tojson }}
{{ [missing]|tojson }}
{{ range(2)|tojson }}
{{ namespace(a=1)|tojson }}
{{ people|tojson(indent=0) }}
{{ [[], {}, [[]], [{}]]|tojson(indent=1) }}
{{ '<'|e|tojson }}
{{ [1e16, 1e-7, 0.1, 1.0, -0.0, big]|tojson }}
{{ 'inf'|float|tojson }}
{{ raise_exception('no') }}
{% if false %}{{ raise_exception('no') }}{% endif %}fine
{{ strftime_now('%Y-%m-%d %H:%M:%S') }}
{{ strftime_now('%d %b %Y, %A %B %j %a %y %I %p %M %% %U %w %-d %e %F %T %D %R %c %x %X %f %W %V %G %u %C') }}
{{ strftime_now() }}
{{ strftime_now is defined }}{{ raise_exception is defined }}
  {% if n %}
  x
  {% endif %}
{{ people | selectattr('name', 'equalto', 'Ann') | list | tojson }}
{{ people[1:] | map(attribute='age') | list }}
{{ people[-1]['age'] }}{{ people[::2]|length }}
{{ (people|first).name }}{{ people[0].name.split('n')[0] }}""".split("\n")

STRICT = ["{{ missing }}", "{{ d.missing }}", "{{ missing is defined }}", "{{ missing|default('x') }}", "{{ missing == 1 }}", "{{ not missing }}", "{% if missing %}{% endif %}", "{% for x in missing %}{% endfor %}",
          "{{ missing|d }}{{ d.zz|default(1) }}", "{{ [missing] }}", "{{ missing ~ 'a' }}", "{{ 'a' if false }}", "{{ ('a' if false) is defined }}", "{{ l[9] }}", "{{ []|first }}", "{{ missing in [1] }}", "{{ 1 in missing }}",
          "{{ missing|list }}", "{{ missing|upper }}", "{{ missing is none }}", "{{ missing is iterable }}", "{{ missing is sequence }}", "{{ missing|length }}", "{{ people|map(attribute='name')|list }}", "{{ people|map(attribute='name')|join }}",
          "{% macro m(a) %}{{ a }}{% endmacro %}{{ m() }}", "{% macro m(a) %}{{ a is defined }}{% endmacro %}{{ m() }}", "{{ s }}\n", "Question: {{s}}\nAnswer:", "{{ people[0].name.strip() }}: {{ ['A', 'B'][1] }}\n\n",
          "{{ l.index(2) }}", "{% set x = missing %}{{ x is defined }}", "{{ d.get('zz') }}", "{{ {missing: 1} }}", "{{ missing or 1 }}", "{{ 1 or missing }}", "{{ missing is sameas missing }}", "{{ missing|e }}", "{{ {'a': missing}|tojson }}",
          "{% for x in [1] %}{{ loop.previtem }}{% endfor %}", "{{ people|selectattr('name', 'defined')|list|length }}", "{{ people|sort(attribute='name') }}", "{{ missing.a is defined }}", "{{ d.zz is defined and d.zz.y }}", "{{ missing|map('x')|list }}",
          "{{ missing|sum }}", "{{ missing|join }}", "{{ missing|string }}", "{{ missing|int }}", "{{ missing|items|list }}", "{{ missing|safe }}", "{{ missing is callable }}", "{{ missing is lower }}", "{{ missing is eq 1 }}"]


def expressions():
    cases = [("plain", text) for text in itertools.chain(operators(), methods(), filters(), tests())]
    cases += [("plain", text) for line in LITERALS.replace("\\\n", "\x00").split("\n") for text in split(line.replace("\x00", "\\\n"))]
    cases += [("plain", text) for text in STATEMENTS.replace("]\n  |", "]\x00  |").replace("join(\n", "join(\x00").strip("\n").split("\n")]
    cases = [(mode, text.replace("\x00", "\n")) for mode, text in cases]
    cases += [(mode, text) for text in WHITESPACE for mode in ("plain", "trim", "strict")]
    cases += [("chat", text) for text in CHAT] + [("strict", text) for text in STRICT]
    for mode, text in cases:
        result = render(mode, text, VARIABLES)
        # Addresses differ from run to run; complex numbers are left out.
        if " at 0x" in result.get("expected", "") or result.get("expected", "").endswith("j)"):
            continue
        yield {"mode": mode, "template": text, **result}


def split(line):
    """The templates of a line, separated by bars outside of braces."""
    part, depth = "", 0
    for i, c in enumerate(line):
        if c == "|" and (depth == 0 or line[i + 1:i + 4] in ("{{ ", "{{-", "{{+", "{%|", "{#|", "{# ", "{% ", "{{|")):
            if depth == 0 or line[i + 1:i + 3] in ("{{", "{%", "{#"):
                yield part
                part, depth = "", 0
                continue
        if line[i:i + 2] in ("{{", "{%", "{#"):
            depth += 1
        elif line[i:i + 2] in ("}}", "%}", "#}"):
            depth = max(0, depth - 1)
        part += c
    yield part


def write(name, rows):
    rows = list(rows)
    with open(HERE / name, "w", encoding="utf-8", newline="\n") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=True) + "\n")
    print(name, len(rows), sum("error" in row for row in rows), "errors")


(HERE / "variables.json").write_text(json.dumps(VARIABLES, ensure_ascii=True, indent=1) + "\n")
(HERE / "conversations.json").write_text(json.dumps(CONVERSATIONS, ensure_ascii=True, indent=1) + "\n")
write("chats.jsonl", chats())
write("expressions.jsonl", expressions())
