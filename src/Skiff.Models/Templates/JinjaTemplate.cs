using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>
/// A Jinja template, as chat templates and evaluation prompts use them: Jinja's syntax, filters and tests with Python's
/// values, inside a sandbox that bounds steps, text, depth and sizes. Templates are untrusted; whatever they do ends in a
/// text or in one <see cref="InvalidInputException"/> that names the line.
/// </summary>
public sealed class JinjaTemplate
{
    private readonly string _name;
    private readonly JinjaOptions _options;
    private readonly JinjaStatement[] _body;

    private JinjaTemplate(string name, JinjaOptions options, JinjaStatement[] body, bool hasGenerations)
    {
        _name = name;
        _options = options;
        _body = body;
        HasGenerations = hasGenerations;
    }

    /// <summary>Whether the template has <c>generation</c> blocks.</summary>
    public bool HasGenerations { get; }

    /// <summary>Reads a template.</summary>
    /// <param name="source">The template's text.</param>
    /// <param name="name">What errors call it: a file or an option.</param>
    /// <param name="options">How to read and render it; Jinja's defaults when null.</param>
    /// <exception cref="InvalidInputException">The text is no template, or is nested too deeply.</exception>
    public static JinjaTemplate Parse(string source, string name, JinjaOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(name);
        options ??= new JinjaOptions();
        // Reading is linear in the source, so that its budget is not the one of rendering.
        JinjaRuntime runtime = new(name, options with { MaxSteps = int.MaxValue });
        return new(name, options, JinjaStatementParser.Parse(runtime, source, out bool marks), marks);
    }

    /// <summary>Renders the template.</summary>
    /// <param name="variables">
    /// What the template sees by name: null, booleans, integers, doubles, texts, lists, dictionaries with text keys, and JSON
    /// elements and nodes, nested as one likes.
    /// </param>
    /// <exception cref="InvalidInputException">The template fails, asks for an error, or goes over a limit.</exception>
    public string Render(IReadOnlyDictionary<string, object?> variables) => Render(variables, withSpans: false).Text;

    /// <summary>Renders the template and says which parts of the text stand in <c>generation</c> blocks.</summary>
    /// <param name="variables">As for <see cref="Render(IReadOnlyDictionary{string, object?})"/>.</param>
    /// <exception cref="InvalidInputException">As for rendering; also when a generation block has no place of its own in the text.</exception>
    public JinjaRendering RenderWithSpans(IReadOnlyDictionary<string, object?> variables) => Render(variables, withSpans: true);

    private JinjaRendering Render(IReadOnlyDictionary<string, object?> variables, bool withSpans)
    {
        ArgumentNullException.ThrowIfNull(variables);
        JinjaRuntime runtime = new(_name, _options) { Generations = withSpans ? [] : null };
        JinjaScope context = new(JinjaGlobals.Scope(_options));
        foreach ((string name, object? value) in variables)
            context.Set(name, JinjaConvert.From(runtime, name, value));
        JinjaOutput output = new(runtime, isRoot: true);
        JinjaStatement.Execute(_body, new JinjaFrame(runtime, new JinjaScope(context), output));
        return new(output.ToString(), runtime.Generations ?? []);
    }
}
