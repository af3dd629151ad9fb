using System.Globalization;
using Skiff.Inference;
using Skiff.Models;

namespace Skiff.Cli;

/// <summary>Prints what a cache kept and what it dropped.</summary>
internal static class CachePrinter
{
    /// <summary>A line a token, then a line of sums.</summary>
    public static void Print(TextWriter output, CacheExplanation explanation, Tokenizer tokenizer)
    {
        output.WriteLine();
        foreach (ExplainedToken token in explanation.Tokens)
        {
            string text = Output.Quoted(tokenizer.Decode([token.Id]));
            string place = token.Place.ToString().ToLowerInvariant(), closes = token.Closes ? ", closes its segment" : "";
            string what = token.DroppedAt is { } at ? $"dropped behind {at}" : $"kept: {place}";
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{token.Position,6}  {text,-18} {what}{closes}"));
        }

        int all = explanation.Tokens.Count, kept = explanation.Kept;
        output.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"kept {kept} of {all} entries, {100.0 * (all - kept) / all:0.0}% fewer: {kept * explanation.EntryBytes} bytes where all take {all * explanation.EntryBytes}"));
    }
}
