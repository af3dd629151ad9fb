using System.Text;
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Training;

/// <summary>Turns conversations into ids: those of the whole written-out text, with the assistant's as targets.</summary>
internal sealed class ChatEncoder(Tokenizer tokenizer, ChatTemplate template)
{
    private readonly TokenBorders _borders = new(tokenizer);
    private readonly AssistantSpans _spans = new(
        template, [.. tokenizer.Spec.AddedTokens.Where(token => token.Special).Select(token => token.Content)], tokenizer.Spec.EosToken);

    /// <summary>Appends the ids of a line to the workspace, and its hash, bytes and targets to the batch.</summary>
    /// <exception cref="InvalidInputException">The conversation cannot be used; file and line are named.</exception>
    public void Encode(ReadOnlySpan<byte> line, (string File, long Line) origin, Workspace workspace, DocumentBatch batch)
    {
        ChatRecord record = ChatRecord.Parse(line, origin.File, origin.Line);
        (string text, IReadOnlyList<(int Start, int Length)> spans) = _spans.Render(record);
        List<int> places = [.. spans.SelectMany(span => new[] { span.Start, span.Start + span.Length }).Distinct().Order()];
        int from = workspace.Count;
        int[] first = Encode(record, text, places, workspace);

        if (batch.IsTarget.Length < workspace.Count)
            Array.Resize(ref batch.IsTarget, Math.Max(workspace.Count, 2 * batch.IsTarget.Length));
        Span<bool> isTarget = batch.IsTarget.AsSpan(0, workspace.Count);
        isTarget[from..].Clear();
        foreach ((int start, int length) in spans)
            isTarget[first[places.BinarySearch(start)]..first[places.BinarySearch(start + length)]].Fill(true);
        // A document's first token is nobody's target.
        if (workspace.Count - from < 2 || !isTarget[(from + 1)..].Contains(true))
            throw record.Refuse("none of its tokens is the assistant's as the chat template writes it: leave it out, or use another template");
        batch.Hashes.Add(record.Hash);
        batch.TextBytes.Add((uint)Encoding.UTF8.GetByteCount(text));
    }

    private int[] Encode(ChatRecord record, string text, List<int> places, Workspace workspace)
    {
        try
        {
            return _borders.Encode(text, places, workspace);
        }
        catch (InvalidInputException e)
        {
            throw record.Refuse(e.Message, e);
        }
    }
}
