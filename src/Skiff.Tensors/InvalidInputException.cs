using System.Text;

namespace Skiff.Tensors;

/// <summary>
/// A file, setting or request that cannot be used. Its message is always one line of the form
/// <c>source: field: problem</c>, fit to be shown to a user as it stands.
/// </summary>
public sealed class InvalidInputException : Exception
{
    private const int LongestPart = 300;

    /// <summary>Names the source (a file or option), the field inside it, and what is wrong and how to mend it.</summary>
    public InvalidInputException(string source, string field, string problem, Exception? inner = null)
        : base($"{Line(source)}: {Line(field)}: {Line(problem)}", inner)
    {
        Input = source;
        Field = field;
        Problem = problem;
    }

    /// <summary>The file or option that was refused.</summary>
    public string Input { get; }

    /// <summary>The key, tensor or position inside <see cref="Input"/>.</summary>
    public string Field { get; }

    /// <summary>What is wrong, and the mend where there is one.</summary>
    public string Problem { get; }

    /// <summary>The same refusal told of another source: a parser of bytes does not know its file's name.</summary>
    public InvalidInputException From(string source) => new(source, Field, Problem, this);

    // Text taken from a hostile file must neither break the line nor fill the screen.
    private static string Line(string text)
    {
        StringBuilder line = new(Math.Min(text.Length, LongestPart));
        foreach (Rune rune in text.EnumerateRunes())
        {
            if (line.Length >= LongestPart)
            {
                line.Append("...");
                break;
            }

            line.Append(Rune.IsControl(rune) || rune.Value is 0x2028 or 0x2029 ? "?" : rune.ToString());
        }

        return line.ToString();
    }
}
