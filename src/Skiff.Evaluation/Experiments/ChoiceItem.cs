namespace Skiff.Evaluation;

/// <summary>A question with a few answers, one of them right, behind demonstrations or facts.</summary>
/// <param name="Context">What stands before the question, piece by piece: demonstrations, or sentences.</param>
/// <param name="Question">The question, to be continued by an answer.</param>
/// <param name="Choices">Answers, each with the space that it begins with.</param>
/// <param name="Gold">The right one.</param>
internal sealed record ChoiceItem(IReadOnlyList<string> Context, string Question, IReadOnlyList<string> Choices, int Gold);
