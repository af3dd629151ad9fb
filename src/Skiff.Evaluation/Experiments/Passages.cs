using System.Text.RegularExpressions;
using Skiff.Inference;

namespace Skiff.Evaluation;

/// <summary>Runs of real sentences, to stand between what matters.</summary>
internal sealed partial class Passages
{
    private readonly string[][] _texts;

    /// <summary>Takes sentences from texts.</summary>
    public Passages(IEnumerable<string> texts) => _texts = [.. texts.Select(Split).Where(sentences => sentences.Length > 0)];

    /// <summary>Following sentences of one text, as many as asked for where it has so many.</summary>
    public string[] Sentences(SplitMix64 random, int count)
    {
        List<string> result = [];
        while (result.Count < count)
        {
            string[] text = random.Of(_texts);
            int start = random.Below(text.Length);
            result.AddRange(text.AsSpan(start, Math.Min(count - result.Count, text.Length - start)));
        }

        return [.. result];
    }

    /// <summary>So many following sentences of one text that has them.</summary>
    public string[] Run(SplitMix64 random, int count)
    {
        string[] text;
        do
            text = random.Of(_texts);
        while (text.Length < count);
        int start = random.Below(text.Length - count + 1);
        return text[start..(start + count)];
    }

    /// <summary>Following sentences up to and with the one that brings the sum of lengths to a number.</summary>
    /// <param name="random">Where it begins.</param>
    /// <param name="least">The sum.</param>
    /// <param name="lengthOf">A sentence's length.</param>
    public string[] OfLength(SplitMix64 random, int least, Func<string, int> lengthOf)
    {
        List<string> result = [];
        for (int sum = 0; sum < least;)
        {
            string[] text = random.Of(_texts);
            for (int at = random.Below(text.Length); at < text.Length && sum < least; at++)
            {
                result.Add(text[at]);
                sum += lengthOf(text[at]);
            }
        }

        return [.. result];
    }

    // Short sentences in plain letters: a passage is no place for headings and dialogue.
    private static string[] Split(string text) =>
        [.. SentenceEnd().Split(text.ReplaceLineEndings(" ")).Select(sentence => sentence.Trim()).Where(sentence => sentence.Length is > 15 and < 110 && sentence.EndsWith('.') && !sentence.Contains('"'))];

    [GeneratedRegex(@"(?<=[.!?]""?)\s+(?=[""A-Z])")]
    private static partial Regex SentenceEnd();
}
