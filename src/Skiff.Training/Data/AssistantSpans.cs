using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Training;

/// <summary>
/// Writes a conversation out with its template and finds what the assistant wrote: what stands in the template's
/// <c>generation</c> blocks, or, where it has none, what a turn adds to the text of the messages before it and the prompt
/// for an answer, up to the token that ends the turn: the last special token of it, or the one that ends texts behind it.
/// </summary>
internal sealed class AssistantSpans(ChatTemplate template, IReadOnlyList<string> specialTokens, string? endToken)
{
    // Stands for a message while the text around it is looked at: a word that no template and no file has.
    private const string Word = "xWhatTheAssistantWritesInThisTurnx";

    private const string Mend = "mark the assistant's part in the template with {% generation %} and {% endgeneration %}, and name it";

    /// <summary>The text of a conversation with the assistant's parts in order.</summary>
    /// <exception cref="InvalidInputException">The template refuses it, or it cannot be told what is the assistant's.</exception>
    public JinjaRendering Render(ChatRecord record)
    {
        if (template.HasGenerations)
            return Guard(record, () => template.ApplyWithSpans(record.Messages, record.Tools, record.Extra));
        string whole = Apply(record, record.Messages);
        List<(int Start, int Length)> spans = [];
        for (int turn = 0; turn < record.Messages.Count; turn++)
        {
            if (!ChatRecord.IsAssistant(record.Messages[turn]))
                continue;
            (int start, int end) = Find(record, turn, whole);
            spans.Add((start, end - start));
        }

        return new JinjaRendering(whole, spans);
    }

    private (int Start, int End) Find(ChatRecord record, int turn, string whole)
    {
        ChatMessage[] until = [.. record.Messages.Take(turn + 1)];
        string before = Guard(record, () => template.Apply(until[..turn], addGenerationPrompt: true, record.Tools, record.Extra));
        string through = turn + 1 == record.Messages.Count ? whole : Apply(record, until);
        int start = PromptLength(before, whole);
        if (start >= 0 && PromptLength(before, through) == start && CommonEnd(through, whole, start) is int end and >= 0)
            return (start, WithEnd(whole, start, end));

        // The template writes this turn, or what comes before it, otherwise within the whole. What stands around the turn's
        // content is then found by writing a word in its place.
        until[turn] = new ChatMessage(new OrderedDictionary<string, object?>(until[turn].Fields) { ["content"] = Word });
        (string aloneBefore, string aloneBehind) = Around(record, turn, Apply(record, until));
        (string wholeBefore, string wholeBehind) = Around(record, turn, Apply(record, [.. until, .. record.Messages.Skip(turn + 1)]));
        int tail = CommonEnd(aloneBehind, wholeBehind, 0), prompt = PromptLength(before, aloneBefore);
        if (start < 0 && prompt >= 0 && whole.StartsWith(wholeBefore, StringComparison.Ordinal) && wholeBefore.EndsWith(aloneBefore[prompt..], StringComparison.Ordinal))
            start = wholeBefore.Length - (aloneBefore.Length - prompt);
        // What follows the turn is the same whatever the turn says.
        if (start < 0 || tail < 0 || !whole.EndsWith(wholeBehind[tail..], StringComparison.Ordinal))
            throw Refuse(record, turn);
        end = whole.Length - (wholeBehind.Length - tail);
        return end >= start ? (start, WithEnd(whole, start, end)) : throw Refuse(record, turn);
    }

    // How much of a text is a prompt for an answer, or -1 where it begins otherwise. White space that ends the prompt may
    // be missing: templates written over several lines have line ends there that an answer does not keep.
    private static int PromptLength(string prompt, string text)
    {
        int common = prompt.AsSpan().CommonPrefixLength(text);
        return prompt.AsSpan(common).IsWhiteSpace() ? common : -1;
    }

    // Where a turn that ends a text ends within a longer one: all of it is there, or all but special tokens that the
    // template writes only at a conversation's end, behind the one that ends the turn. -1 where more differs.
    private int CommonEnd(string turn, string whole, int start)
    {
        int common = turn.AsSpan(start).CommonPrefixLength(whole.AsSpan(start)) + start;
        if (common == turn.Length)
            return common;
        // Two special tokens may begin alike.
        foreach (string token in specialTokens)
        {
            for (int at = Math.Max(start, common - token.Length + 1); at < common; at++)
            {
                if (StandsAt(turn, at, token) || StandsAt(whole, at, token))
                    common = at;
            }
        }

        ReadOnlySpan<char> rest = turn.AsSpan(common).TrimStart();
        while (!rest.IsEmpty)
        {
            string? next = null;
            foreach (string token in specialTokens)
            {
                if (rest.StartsWith(token, StringComparison.Ordinal) && token.Length > (next?.Length ?? 0))
                    next = token;
            }

            if (next is null)
                return -1;
            rest = rest[next.Length..].TrimStart();
        }

        return EndsWithSpecial(turn.AsSpan(start, common - start).TrimEnd()) ? common : -1;
    }

    // What stands behind the token that ends a turn is never asked of the model: it has stopped. Some templates write that
    // token behind every turn but a last one, so that what a turn adds at the end of a text lacks it.
    private int WithEnd(string whole, int start, int end)
    {
        ReadOnlySpan<char> turn = whole.AsSpan(start, end - start).TrimEnd();
        if (EndsWithSpecial(turn))
            return start + turn.Length;
        int next = whole.Length - whole.AsSpan(end).TrimStart().Length;
        return endToken is not null && StandsAt(whole, next, endToken) ? next + endToken.Length : end;
    }

    private bool EndsWithSpecial(ReadOnlySpan<char> text)
    {
        foreach (string token in specialTokens)
        {
            if (text.EndsWith(token, StringComparison.Ordinal))
                return true;
        }

        return false;
    }

    private static bool StandsAt(string text, int at, string token) => string.CompareOrdinal(text, at, token, 0, token.Length) == 0;

    private static (string Before, string Behind) Around(ChatRecord record, int turn, string text)
    {
        string[] parts = text.Split(Word);
        return parts.Length == 2 ? (parts[0], parts[1]) : throw Refuse(record, turn);
    }

    private string Apply(ChatRecord record, IReadOnlyList<ChatMessage> messages) =>
        Guard(record, () => template.Apply(messages, addGenerationPrompt: false, record.Tools, record.Extra));

    private static T Guard<T>(ChatRecord record, Func<T> render)
    {
        try
        {
            return render();
        }
        catch (InvalidInputException e)
        {
            throw record.Refuse(e.Message, e);
        }
    }

    private static InvalidInputException Refuse(ChatRecord record, int turn) =>
        record.Refuse($"the chat template writes messages[{turn}] otherwise than a prompt for it leads to, so the assistant's part cannot be told: {Mend}");
}
