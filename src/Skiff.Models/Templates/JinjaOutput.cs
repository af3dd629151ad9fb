using System.Text;

namespace Skiff.Models;

/// <summary>Where statements write: the rendering itself, or the captured text of a macro or block.</summary>
internal sealed class JinjaOutput(JinjaRuntime runtime, bool isRoot)
{
    private readonly StringBuilder _text = new();

    /// <summary>Whether positions here are positions of the rendering.</summary>
    public bool IsRoot => isRoot;

    public int Length => _text.Length;

    public void Write(string text)
    {
        runtime.Reserve(text.Length);
        if ((long)_text.Length + text.Length > runtime.Options.MaxOutput)
            throw runtime.Fail($"the text is over the limit of {runtime.Options.MaxOutput} characters");
        _text.Append(text);
    }

    public override string ToString() => _text.ToString();
}
