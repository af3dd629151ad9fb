namespace Skiff.Models;

/// <summary>The splitting expressions of the model families, and which of them have a scanner.</summary>
internal static class SplitPatterns
{
    /// <summary>GPT-2 (Radford et al. 2019); what <c>ByteLevel</c> means by <c>use_regex</c>.</summary>
    public const string Gpt2 = @"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

    /// <summary>Llama 3 and OLMo 2.</summary>
    public const string Llama3 = @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    /// <summary>Qwen2 and StableLM 2.</summary>
    public const string Qwen2 = @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    private const string SpelledOut = "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])";

    /// <summary>The scanner whose pieces equal the expression's matches; every one of these matches all text.</summary>
    public static KnownPattern Find(string expression) => expression switch
    {
        Gpt2 => KnownPattern.Gpt2,
        Llama3 => KnownPattern.Llama3,
        Qwen2 => KnownPattern.Qwen2,
        _ => KnownPattern.None,
    };

    /// <summary>llama.cpp writes out the cases of the contractions; the long s apart, that is the same expression.</summary>
    public static string Normalize(string expression) =>
        expression.StartsWith(SpelledOut, StringComparison.Ordinal)
            ? string.Concat("(?i:'s|'t|'re|'ve|'m|'ll|'d)", expression.AsSpan(SpelledOut.Length))
            : expression;
}
