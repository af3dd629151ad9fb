using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;

namespace Skiff.Models;

/// <summary>The character classes that splitting patterns tell apart.</summary>
internal static class CharClass
{
    /// <summary>Neither letter, number nor white space.</summary>
    public const byte Other = 0;

    /// <summary><c>\p{L}</c>.</summary>
    public const byte Letter = 1;

    /// <summary><c>\p{N}</c>.</summary>
    public const byte Number = 2;

    /// <summary><c>\s</c>.</summary>
    public const byte Space = 3;

    // One byte a character of the basic plane: a lookup costs the same for every script.
    private static readonly byte[] s_basicPlane = BuildBasicPlane();

    /// <summary>The class of a character of the basic plane.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static byte Of(char c) => s_basicPlane[c];

    /// <summary>The class of a code point.</summary>
    public static byte Of(int codePoint) => codePoint < 0x10000 ? s_basicPlane[codePoint] : Classify(codePoint);

    /// <summary>Unicode punctuation, and the ASCII symbols that tokenizers count as such.</summary>
    public static bool IsPunctuation(Rune rune) => rune.IsAscii
        ? rune.Value is (>= '!' and <= '/') or (>= ':' and <= '@') or (>= '[' and <= '`') or (>= '{' and <= '~')
        : Rune.IsPunctuation(rune);

    /// <summary>What <c>\w</c> takes in the expressions of tokenizer files: letters, marks, digits, connectors and joiners.</summary>
    public static bool IsWord(Rune rune) => Rune.GetUnicodeCategory(rune) switch
    {
        UnicodeCategory.UppercaseLetter or UnicodeCategory.LowercaseLetter or UnicodeCategory.TitlecaseLetter
            or UnicodeCategory.ModifierLetter or UnicodeCategory.OtherLetter or UnicodeCategory.NonSpacingMark
            or UnicodeCategory.SpacingCombiningMark or UnicodeCategory.EnclosingMark or UnicodeCategory.DecimalDigitNumber
            or UnicodeCategory.LetterNumber or UnicodeCategory.ConnectorPunctuation => true,
        // Circled and squared letters are alphabetic though their category is "other symbol".
        UnicodeCategory.OtherSymbol => rune.Value is (>= 0x24B6 and <= 0x24E9) or (>= 0x1F130 and <= 0x1F149)
            or (>= 0x1F150 and <= 0x1F169) or (>= 0x1F170 and <= 0x1F189),
        _ => rune.Value is 0x200C or 0x200D,
    };

    private static byte[] BuildBasicPlane()
    {
        byte[] classes = new byte[0x10000];
        for (int c = 0; c < classes.Length; c++)
            classes[c] = Classify(c);
        return classes;
    }

    private static byte Classify(int codePoint)
    {
        if (codePoint < 0x10000 && char.IsWhiteSpace((char)codePoint))
            return Space;
        return CharUnicodeInfo.GetUnicodeCategory(codePoint) switch
        {
            UnicodeCategory.UppercaseLetter or UnicodeCategory.LowercaseLetter or UnicodeCategory.TitlecaseLetter
                or UnicodeCategory.ModifierLetter or UnicodeCategory.OtherLetter => Letter,
            UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber => Number,
            _ => Other,
        };
    }
}
