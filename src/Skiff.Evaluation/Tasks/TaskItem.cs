using System.Text.Json.Nodes;

namespace Skiff.Evaluation;

/// <summary>A document of a task as a model sees it.</summary>
/// <param name="Id">Its number in the split, from 0.</param>
/// <param name="Document">The document.</param>
/// <param name="Requests">What is asked: a continuation for each choice, or one, or a text whose continuation is generated.</param>
/// <param name="Gold">The right choices; empty where there are none.</param>
/// <param name="Choices">The choices' texts.</param>
/// <param name="Target">The answer as text, for generation.</param>
public sealed record TaskItem(int Id, JsonObject Document, IReadOnlyList<TaskRequest> Requests, IReadOnlyList<int> Gold, IReadOnlyList<string> Choices, string Target);

/// <summary>A text in front and one behind it.</summary>
/// <param name="Context">The prompt with its demonstrations.</param>
/// <param name="Continuation">What is scored; empty for a generation.</param>
public readonly record struct TaskRequest(string Context, string Continuation);
