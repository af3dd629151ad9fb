using System.Text.Json;
using System.Text.Json.Nodes;
using CsCheck;
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Tests.Models.Templates;

public sealed class JinjaTemplateTests
{
    private static readonly Dictionary<string, object?> None = [];

    [Fact]
    public void TextWithoutTagsIsItself() =>
        Gen.String.Select(text => text.Replace("{", "", StringComparison.Ordinal).Replace("\r", "", StringComparison.Ordinal)).Sample(text =>
            JinjaTemplate.Parse(text, "text", new JinjaOptions { KeepTrailingNewline = true }).Render(None) == text);

    [Fact]
    public void ToJsonKeepsEveryValue() =>
        Value(3).Sample(value =>
        {
            string text = JsonSerializer.Serialize(value);
            Dictionary<string, object?> variables = new() { ["x"] = JsonSerializer.Deserialize<JsonElement>(text) };
            foreach (string filter in (string[])["tojson", "tojson(indent=2)", "tojson(ensure_ascii=true)", "tojson(separators=(',', ':'))"])
            {
                string json = JinjaTemplate.Parse($"{{{{ x|{filter} }}}}", "json", JinjaOptions.Chat).Render(variables);
                Assert.True(JsonNode.DeepEquals(JsonNode.Parse(text), JsonNode.Parse(json)), $"{text} became {json}");
            }

            string plain = JinjaTemplate.Parse("{{ x|tojson }}", "json").Render(variables);
            return JsonNode.DeepEquals(JsonNode.Parse(text), JsonNode.Parse(plain)) && !plain.Contains('<') && !plain.Contains('\'');
        }, iter: 500);

    [Fact]
    public void IntegersComputeAsBigIntegersDo() =>
        Gen.Select(Gen.Long, Gen.Long).Sample((a, b) =>
        {
            string text = JinjaTemplate.Parse("{{ a + b }} {{ a * b }} {{ a - b }}", "sum").Render(new Dictionary<string, object?> { ["a"] = a, ["b"] = b });
            System.Numerics.BigInteger x = a;
            return text == $"{x + b} {x * b} {x - b}";
        });

    [Fact]
    public void DoublesPrintSoThatTheyReadBack() =>
        Gen.Double.Sample(number =>
        {
            string text = JinjaTemplate.Parse("{{ x }}", "float").Render(new Dictionary<string, object?> { ["x"] = number });
            return !double.IsFinite(number) || double.Parse(text, System.Globalization.CultureInfo.InvariantCulture).Equals(number);
        });

    [Fact]
    public void VariablesOfEveryKindAreConverted()
    {
        Dictionary<string, object?> variables = new()
        {
            ["a"] = 1,
            ["b"] = 2.5f,
            ["c"] = new object?[] { null, true, 3L },
            ["d"] = new Dictionary<string, object?> { ["k"] = JsonNode.Parse("{\"z\": [1, 2.0]}") },
            ["e"] = JsonDocument.Parse("[1, 1.0, 1e2, 123456789012345678901, \"\\u00e9\", null]").RootElement,
        };
        Assert.Equal("1 2.5 [None, True, 3] {'k': {'z': [1, 2.0]}} [1, 1.0, 100.0, 123456789012345678901, 'é', None]",
            JinjaTemplate.Parse("{{ a }} {{ b }} {{ c }} {{ d }} {{ e }}", "kinds").Render(variables));
        JsonNode deep = new JsonArray();
        for (int i = 0; i < 80; i++)
            deep = new JsonObject { ["a"] = deep };
        variables["a"] = deep;
        Assert.Contains("[]", JinjaTemplate.Parse("{{ a }}", "kinds").Render(variables), StringComparison.Ordinal);
        variables["a"] = new Dictionary<string, string> { ["k"] = "v" };
        Assert.Equal("{'k': 'v'}", JinjaTemplate.Parse("{{ a }}", "kinds").Render(variables));
        variables["a"] = new Version(1, 0);
        InvalidInputException refusal = Assert.Throws<InvalidInputException>(() => JinjaTemplate.Parse("{{ a }}", "kinds").Render(variables));
        Assert.Contains("'a'", refusal.Problem, StringComparison.Ordinal);
        variables["a"] = JsonDocument.Parse("[\"\\ud800\"]").RootElement;
        Assert.Throws<InvalidInputException>(() => JinjaTemplate.Parse("{{ a }}", "kinds").Render(variables));
    }

    [Theory]
    [InlineData("a\nb\n{{ 1 + }}", "line 3")]
    [InlineData("a\n{% if x %}\n\n", "line 2")]
    [InlineData("{#\n\n#}\n{{ 'a\nb' }}{{ x|nope }}", "line 5")]
    [InlineData("a\n\n{{ 1 // 0 }}", "line 3")]
    [InlineData("a\n\n{% for i in [1] %}\n{{ i.x.y }}{% endfor %}\n", "line 4")]
    [InlineData("{%- if true -%}\n\n  {{- missing() }}{% endif %}", "line 3")]
    [InlineData("\n{% raw %}\n{{\n{% endraw %}{% nope %}", "line 4")]
    [InlineData("\n{{ 'open }}\n", "line 2")]
    public void RefusalsNameTheLine(string source, string line)
    {
        InvalidInputException refusal = Assert.Throws<InvalidInputException>(() => JinjaTemplate.Parse(source, "prompt.txt").Render(None));
        Assert.Equal(line, refusal.Field);
        Assert.StartsWith($"prompt.txt: {line}: ", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void GenerationBlocksAreReported()
    {
        const string Source = "{% for m in xs %}<{{ m }}>{% generation %}🙂{{ m * 2 }}{% endgeneration %}{% endfor %}.";
        JinjaRendering rendering = JinjaTemplate.Parse(Source, "spans").RenderWithSpans(new Dictionary<string, object?> { ["xs"] = new object?[] { 1L, 50L } });
        Assert.Equal("<1>🙂2<50>🙂100.", rendering.Text);
        Assert.Equal(["🙂2", "🙂100"], rendering.Generations.Select(span => rendering.Text.Substring(span.Start, span.Length)));
        const string Inside = "{% macro m() %}{% generation %}a{% endgeneration %}{% endmacro %}{{ m() }}";
        Assert.Equal("a", JinjaTemplate.Parse(Inside, "spans").Render(None));
        Assert.Throws<InvalidInputException>(() => JinjaTemplate.Parse(Inside, "spans").RenderWithSpans(None));
    }

    [Fact]
    public void LimitsCanBeSet()
    {
        JinjaTemplate loop = JinjaTemplate.Parse("{% for i in range(1000) %}{{ i }}{% endfor %}", "limits", new JinjaOptions { MaxSteps = 1000 });
        Assert.Contains("1000 steps", Assert.Throws<InvalidInputException>(() => loop.Render(None)).Problem, StringComparison.Ordinal);
        JinjaTemplate text = JinjaTemplate.Parse("{% for i in range(1000) %}{{ i }}{% endfor %}", "limits", new JinjaOptions { MaxOutput = 1000 });
        Assert.Contains("1000 characters", Assert.Throws<InvalidInputException>(() => text.Render(None)).Problem, StringComparison.Ordinal);
    }

    private static Gen<object?> Value(int depth)
    {
        Gen<string> text = Gen.String.Select(value => value.Replace('\ud800', 'x')).Where(value => !value.Any(char.IsSurrogate));
        Gen<object?> leaf = Gen.OneOf<object?>(
            text.Select(value => (object?)value), Gen.Long.Select(value => (object?)value), Gen.Bool.Select(value => (object?)value), Gen.Const((object?)null),
            Gen.Double.Where(double.IsFinite).Select(value => (object?)value), Gen.Const((object?)"<a href='x'>&\u2028\"\\🙂</a>"));
        if (depth == 0)
            return leaf;
        Gen<object?> list = Value(depth - 1).Array[0, 4].Select(items => (object?)items);
        Gen<object?> dict = Gen.Select(text, Value(depth - 1)).Array[0, 4]
            .Select(pairs => (object?)pairs.GroupBy(pair => pair.Item1).ToDictionary(group => group.Key, group => group.First().Item2));
        return Gen.OneOf(leaf, list, dict);
    }
}
