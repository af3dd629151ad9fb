using System.ComponentModel.DataAnnotations;
using Skiff.Tensors;

namespace Skiff.Training;

/// <summary>Trains towards what a teacher foretells (Minitron, arXiv 2407.14679, section 3) in place of, or beside, what the text says.</summary>
public sealed record RecipeDistill
{
    /// <summary>The teacher: a folder, a .gguf or a llama2.c .bin file, with the student's tokenizer.</summary>
    public required string Teacher { get; init; }

    /// <summary>How student and teacher are compared.</summary>
    public Divergence Loss { get; init; }

    /// <summary>Divides the logits of both; 1 where logits are compared.</summary>
    [Range(0, 1000, MinimumIsExclusive = true)]
    public double Temperature { get; init; } = 1;

    /// <summary>Compare over the teacher's likeliest tokens alone, so many; 0 for all.</summary>
    [Range(0, 1 << 20)]
    public int TopK { get; init; }

    /// <summary>A file that keeps what the teacher foretells, so that a run over the same rows needs no pass of it; null for none. Needs <see cref="TopK"/>.</summary>
    public string? Cache { get; init; }

    /// <summary>Weight of the text's own loss beside it.</summary>
    [Range(0, 1000)]
    public double LabelWeight { get; init; }

    /// <summary>The teacher learns the text itself meanwhile, at this share of the student's learning rate; 0 for one that stays as it is.</summary>
    [Range(0, 1)]
    public double TeacherRate { get; init; }

    /// <summary>Hidden states that are to point where the teacher's do: <c>embedding</c>, and TEACHER:STUDENT for what leaves a block of each, from 0. They count as much as the logits.</summary>
    public IReadOnlyList<string> States { get; init; } = [];
}
