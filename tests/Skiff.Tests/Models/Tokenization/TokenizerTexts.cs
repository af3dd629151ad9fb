using CsCheck;

namespace Skiff.Tests.Models.Tokenization;

/// <summary>Random texts that look like what tokenizers meet: words, numbers, runs of spaces, contractions, every script.</summary>
internal static class TokenizerTexts
{
    private static readonly string[] s_ranges = ["\u0000\u007F", "\u0080\u024F", "\u0300\u036F", "\u0370\u052F", "\u0900\u097F", "\u2000\u206F", "\u3040\u30FF", "\u4E00\u9FFF", "\uAC00\uD7A3"];

    private static readonly Gen<string> s_rune = Gen.Int[0, 0x10FFFF].Where(c => c is < 0xD800 or > 0xDFFF).Select(char.ConvertFromUtf32);

    private static readonly Gen<string> s_near = Gen.Select(Gen.OneOf(s_ranges), Gen.Double[0, 1], (r, at) => ((char)(r[0] + (int)((r[1] - r[0]) * at))).ToString());

    private static readonly Gen<string> s_part = Gen.OneOf(
        Gen.OneOf(
            "the", "The", "don't", "'LL", "'s", "'\u017F", "12345", "7", "\u0665", "\u00BD", "\u2167", " ", "  ", "     ", "\n", "\r\n", "\n\n", "\t", "\u00A0", "\u3000",
            "!!", "...", "=====", "\u00E9", "e\u0301", "\u1EA1\u0302", "\uD83D\uDE00", "\uD835\uDC00", "a", "aaaaaaaa", "def f(x):", "http://x.y/z?q=1", "<0x0A>", "\u65E5\u672C", "\uD840\uDC00"),
        s_near,
        s_rune);

    /// <summary>Texts of up to 30 parts, without SentencePiece's own mark, which no vocabulary can give back.</summary>
    public static Gen<string> Any { get; } = s_part.Array[0, 30].Select(parts => string.Concat(parts).Replace("\u2581", "", StringComparison.Ordinal));
}
