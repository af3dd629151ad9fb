using System.Globalization;
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Training;

/// <summary>Hidden states that a student is to have like its teacher: what leaves a block of each, numbered from 0; -1 is the embedding.</summary>
internal readonly record struct StatePair(int Teacher, int Student)
{
    /// <summary>The matrix [D of the teacher, D of the student] that one width is brought to the other by; all pairs share it.</summary>
    public const string Projection = "projection";

    /// <summary>Its name.</summary>
    public const string ProjectionName = Module + "." + Projection;

    private const string Module = "states", Embedding = "embedding";

    /// <summary>Reads <c>embedding</c>, or <c>29:13</c> for the teacher's block 29 and the student's 13, as the paper writes it (Minitron, arXiv 2407.14679, table 6).</summary>
    /// <exception cref="InvalidInputException">It is neither, or there is no such block.</exception>
    public static StatePair Parse(string text, string source, ModelConfig teacher, ModelConfig student)
    {
        if (text == Embedding)
            return new StatePair(-1, -1);
        string[] parts = text.Split(':');
        if (parts.Length != 2 || !int.TryParse(parts[0], CultureInfo.InvariantCulture, out int from) || !int.TryParse(parts[1], CultureInfo.InvariantCulture, out int to))
            throw new InvalidInputException(source, "distill.states", $"'{text}' is no pair: write '{Embedding}', or TEACHER:STUDENT as in 5:1");
        if (from < 0 || from >= teacher.NumHiddenLayers || to < 0 || to >= student.NumHiddenLayers)
            throw new InvalidInputException(source, "distill.states", $"'{text}': the teacher's blocks are 0 to {teacher.NumHiddenLayers - 1}, the student's 0 to {student.NumHiddenLayers - 1}");
        return new StatePair(from, to);
    }

    /// <summary>The matrix between widths, or none where they are the same.</summary>
    public static IEnumerable<Parameter> Parameters(ModelConfig teacher, ModelConfig student) =>
        teacher.HiddenSize == student.HiddenSize ? [] : [new Parameter(Module, Projection, -1, -1, teacher.HiddenSize, student.HiddenSize)];
}
