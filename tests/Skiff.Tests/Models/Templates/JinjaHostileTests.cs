using System.Diagnostics;
using System.Text;
using System.Text.Json;
using Skiff.Models;
using Skiff.Tensors;
using Skiff.Tests.Fuzzing;

namespace Skiff.Tests.Models.Templates;

/// <summary>Templates are untrusted: whatever they try ends soon, in a text or in one line that names the line.</summary>
public sealed class JinjaHostileTests
{
    private static readonly Dictionary<string, object?> None = [];

    [Theory]
    [InlineData("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "deep")]
    [InlineData("{% macro a() %}{{ b() }}{% endmacro %}{% macro b() %}{{ a() }}{% endmacro %}{{ a() }}", "deep")]
    [InlineData("{% macro m() %}{{ caller() }}{% endmacro %}{% macro r() %}{% call m() %}{{ r() }}{% endcall %}{% endmacro %}{{ r() }}", "deep")]
    [InlineData("{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}", "deep")]
    [InlineData("{% for x in range(100000) %}{% for y in range(100000) %}{% endfor %}{% endfor %}", "steps")]
    [InlineData("{% for x in range(99999) %}{% for y in range(99999) %}{{ x }}{% endfor %}{% endfor %}", "steps")]
    [InlineData("{{ range(10 ** 12) }}", "range")]
    [InlineData("{{ range(10 ** 30) }}", "64 bits")]
    [InlineData("{{ range(-9223372036854775807, 9223372036854775807) }}", "range")]
    [InlineData("{{ 'a' * 10 ** 12 }}", "limit")]
    [InlineData("{{ [1] * 10 ** 12 }}", "limit")]
    [InlineData("{% set ns = namespace(s='ab') %}{% for i in range(100) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}", "limit")]
    [InlineData("{% set ns = namespace(s='ab') %}{% for i in range(100) %}{% set ns.s = ns.s + ns.s %}{% endfor %}", "limit")]
    [InlineData("{% set ns = namespace(s='ab') %}{% for i in range(100) %}{% set ns.s = ns.s|replace('', ns.s) %}{% endfor %}", "limit")]
    [InlineData("{% set ns = namespace(s=['ab']) %}{% for i in range(100) %}{% set ns.s = ns.s + ns.s %}{% endfor %}", "limit")]
    [InlineData("{% set ns = namespace(s=[1]) %}{% for i in range(99999) %}{% set ns.s = [ns.s] %}{% endfor %}", "nested")]
    [InlineData("{% set ns = namespace(s={}) %}{% for i in range(99999) %}{% set ns.s = {'a': ns.s} %}{% endfor %}", "nested")]
    [InlineData("{% set ns = namespace(s=[1]) %}{% for i in range(60) %}{% set ns.s = [ns.s, ns.s] %}{% endfor %}{{ ns.s }}", "limit|steps|characters")]
    [InlineData("{% set ns = namespace(s=[1]) %}{% for i in range(60) %}{% set ns.s = [ns.s, ns.s] %}{% endfor %}{{ ns.s|tojson }}", "limit|steps")]
    [InlineData("{% set ns = namespace(a=[1], b=[1]) %}{% for i in range(60) %}{% set ns.a = [ns.a, ns.a] %}{% set ns.b = [ns.b, ns.b] %}{% endfor %}{{ ns.a == ns.b }}", "steps")]
    [InlineData("{% set ns = namespace(a=(1,)) %}{% for i in range(60) %}{% set ns.a = (ns.a, ns.a) %}{% endfor %}{{ {ns.a: 1} }}", "key")]
    [InlineData("{% set ns = namespace() %}{% set ns.x = ns %}{{ ns }}", "deep")]
    [InlineData("{% set ns = namespace() %}{% set ns.x = [ns, ns] %}{{ ns }}", "deep|limit|steps")]
    [InlineData("{{ 2 ** (10 ** 9) }}", "bits")]
    [InlineData("{% set ns = namespace(x=3) %}{% for i in range(99) %}{% set ns.x = ns.x * ns.x %}{% endfor %}", "bits")]
    [InlineData("{{ 'a'|center(10 ** 12) }}", "limit")]
    [InlineData("{{ 'a'.zfill(9223372036854775807) }}", "limit")]
    [InlineData("{{ 'a\tb'.expandtabs(10 ** 12) }}", "limit")]
    [InlineData("{{ '%1000000000d' % 1 }}", "width")]
    [InlineData("{{ '{:1000000000}'.format(1) }}", "width")]
    [InlineData("{{ '%.1000000000f' % 1 }}", "width")]
    [InlineData("{{ 'a'|indent(10 ** 12) }}", "indent")]
    [InlineData("{{ [1]|tojson(indent=10 ** 12) }}", "indent")]
    [InlineData("{{ [1]|batch(10 ** 12, 'x')|list }}", "limit")]
    [InlineData("{{ [1]|slice(10 ** 12)|list }}", "limit")]
    [InlineData("{{ 1|round(10 ** 12) }}", "precision")]
    [InlineData("{% set a = 'a' * 2000000 %}{% set b = 'a' * 1000000 ~ 'b' ~ 'a' * 1000 %}{{ b in a }}", "steps")]
    [InlineData("{% set a = 'a' * 2000000 %}{% set b = 'a' * 1000000 ~ 'b' ~ 'a' * 1000 %}{{ a.replace(b, '') }}", "steps")]
    [InlineData("{% set a = 'a' * 4000000 %}{% for i in range(99999) %}{% if a.isalpha() %}{% endif %}{% endfor %}", "steps")]
    [InlineData("{% set a = '🙂' * 1000000 %}{% for i in range(99999) %}{% if a[999999] %}{% endif %}{% endfor %}", "steps")]
    [InlineData("{% set a = '🙂' * 2000000 %}{% for i in range(99999) %}{% set b = a[::-1] %}{% endfor %}", "limit|steps")]
    [InlineData("{% set a = 3 ** 5000 %}{% for i in range(99999) %}{% for j in range(99999) %}{% set b = a * a // a %}{% endfor %}{% endfor %}", "steps")]
    [InlineData("{% for i in range(99999) %}{% set b = '%.2000f' % 0.1 %}{% endfor %}", "limit|steps")]
    [InlineData("{{ ('-' * 1000000 ~ 'a')|wordwrap(1) }}", "hyphens")]
    [InlineData("{{ ('a' * 4000000)|wordwrap(1) }}", "limit|steps")]
    [InlineData("{{ x.__class__ }}", "unsafe")]
    [InlineData("{{ ''.__class__.__mro__ }}", "unsafe")]
    [InlineData("{{ ''|attr('__class__') }}", "unsafe")]
    [InlineData("{{ '{0.__class__}'.format(1) }}", "unsafe")]
    [InlineData("{{ [1]|map(attribute='__class__')|list }}", "unsafe")]
    [InlineData("{{ [].append(1) }}", "unsafe")]
    [InlineData("{{ {}.update({}) }}", "unsafe")]
    [InlineData("{{ lipsum() }}", "random")]
    [InlineData("{{ [1]|random }}", "random")]
    [InlineData("{% include 'a' %}", "include")]
    [InlineData("{% import 'a' as b %}", "import")]
    [InlineData("{% extends 'a' %}", "extends")]
    public void HostileTemplatesAreRefusedInTime(string source, string expected)
    {
        (InvalidInputException refusal, long milliseconds) = Refuse(source);
        // A pause of the machine is not the template's fault.
        if (milliseconds > 5000)
            Assert.InRange(Refuse(source).Milliseconds, 0, 5000);
        Assert.Equal("line 1", refusal.Field);
        Assert.DoesNotContain('\n', refusal.Message);
        Assert.Contains(expected.Split('|'), word => refusal.Problem.Contains(word, StringComparison.Ordinal));
    }

    private static (InvalidInputException Refusal, long Milliseconds) Refuse(string source)
    {
        Dictionary<string, object?> variables = new() { ["x"] = 1 };
        Stopwatch watch = Stopwatch.StartNew();
        InvalidInputException refusal = Assert.Throws<InvalidInputException>(() => JinjaTemplate.Parse(source, "hostile", JinjaOptions.Chat).Render(variables));
        return (refusal, watch.ElapsedMilliseconds);
    }

    [Theory]
    [InlineData("{{ ", "(", "", " }}")]
    [InlineData("{{ ", "[", "", " }}")]
    [InlineData("{{ ", "{1:", "", " }}")]
    [InlineData("{{ ", "not ", "1", " }}")]
    [InlineData("{{ ", "-", "1", " }}")]
    [InlineData("{{ ", "a if b else ", "1", " }}")]
    [InlineData("{{ 1", " + 1", "", " }}")]
    [InlineData("{{ 1", " and 1", "", " }}")]
    [InlineData("{{ 1", " ** 1", "", " }}")]
    [InlineData("{{ a", ".b", "", " }}")]
    [InlineData("{{ a", "()", "", " }}")]
    [InlineData("{{ a", "[0]", "", " }}")]
    [InlineData("{{ a", "|upper", "", " }}")]
    [InlineData("{{ a", " is eq a[", "", " }}")]
    [InlineData("", "{% if 1 %}", "", "")]
    [InlineData("", "{% for x in y %}", "", "")]
    [InlineData("", "{% macro m() %}", "", "")]
    [InlineData("{% set ", "(", "a", " = 1 %}")]
    [InlineData("{{ 1", " if 1", "", " }}")]
    public void DeepNestingIsRefused(string begin, string repeated, string middle, string end)
    {
        string source = begin + string.Concat(Enumerable.Repeat(repeated, 100_000)) + middle + end;
        // A thread with a small stack, so that not a large main stack is what saves the process.
        InvalidInputException? refusal = null;
        Thread thread = new(() => refusal = Assert.Throws<InvalidInputException>(() => JinjaTemplate.Parse(source, "deep").Render(None)), 256 * 1024);
        thread.Start();
        thread.Join();
        Assert.StartsWith("line ", refusal?.Field, StringComparison.Ordinal);
    }

    [Fact]
    public void TheDeepestTemplatesFitASmallStack()
    {
        string deep = "{{ " + new string('(', 90) + "m(n)" + new string(')', 90) + " }}";
        string source = "{% macro m(n) %}{% if n %}" + deep.Replace("m(n)", "m(n - 1)", StringComparison.Ordinal) + "{% endif %}{% endmacro %}{{ m(1000) }}";
        Exception? problem = null;
        Thread thread = new(() => problem = Record.Exception(() => JinjaTemplate.Parse(source, "deep").Render(None)), 256 * 1024);
        thread.Start();
        thread.Join();
        Assert.IsType<InvalidInputException>(problem);
    }

    [Fact]
    public void DeepVariablesAreRefused()
    {
        object? value = 1;
        for (int i = 0; i < 100_000; i++)
            value = new object?[] { value };
        Assert.Throws<InvalidInputException>(() => JinjaTemplate.Parse("{{ x }}", "deep").Render(new Dictionary<string, object?> { ["x"] = value }));
    }

    [Fact]
    public void MutatedTemplatesNeverCrash()
    {
        JinjaOptions options = JinjaOptions.Chat with { MaxSteps = 5_000, MaxOutput = 50_000 };
        Dictionary<string, object?> variables = JsonDocument.Parse(File.ReadAllText(Golden("variables.json"))).RootElement
            .EnumerateObject().ToDictionary(property => property.Name, property => (object?)property.Value);
        variables["messages"] = JsonDocument.Parse(File.ReadAllText(Golden("conversations.json"))).RootElement[11].GetProperty("messages");
        string[] lines = [.. File.ReadLines(Golden("expressions.jsonl"))];
        // Converted once: what is tried here is the template.
        JinjaRuntime runtime = new("variables", new JinjaOptions());
        variables = variables.ToDictionary(pair => pair.Key, pair => JinjaConvert.From(runtime, pair.Key, pair.Value));
        List<byte[]> seeds = [.. lines.Where((_, i) => i % 20 == 0 || i > lines.Length - 700)
            .Select(line => Encoding.UTF8.GetBytes(JsonDocument.Parse(line).RootElement.GetProperty("template").GetString()!))];
        seeds.AddRange(Directory.GetFiles(Golden("chats"), "*.jinja").Select(File.ReadAllBytes).Where(bytes => bytes.Length < 1500));
        Mutation.Check(seeds, bytes => JinjaTemplate.Parse(Encoding.UTF8.GetString(bytes), "mutant", options).Render(variables));
    }

    private static string Golden(string name) => Path.Combine(AppContext.BaseDirectory, "Goldens", "templates", name);
}
