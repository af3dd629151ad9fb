namespace Skiff.Models;

/// <summary>Where an evaluation stands: the budget, the names it sees and the text it writes to.</summary>
internal readonly record struct JinjaFrame(JinjaRuntime Runtime, JinjaScope Scope, JinjaOutput Output)
{
    /// <summary>The same place with a block of names of its own.</summary>
    public JinjaFrame Inner() => this with { Scope = new JinjaScope(Scope) };

    /// <summary>A block of names whose text is captured.</summary>
    public JinjaFrame Captured() => new(Runtime, new JinjaScope(Scope), new JinjaOutput(Runtime, isRoot: false));
}
