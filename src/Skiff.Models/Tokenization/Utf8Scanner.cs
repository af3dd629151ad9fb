using System.Runtime.CompilerServices;

namespace Skiff.Models;

/// <summary>The splitting patterns that have a hand-written scanner; every other one runs as a regular expression.</summary>
internal enum KnownPattern
{
    /// <summary>No scanner.</summary>
    None,

    /// <summary>GPT-2: words with the space before them, numbers, signs.</summary>
    Gpt2,

    /// <summary>GPT-2 with every number character alone (SmolLM, StarCoder).</summary>
    Gpt2Digits,

    /// <summary>Llama 3 and cl100k: numbers in threes, line ends kept with signs.</summary>
    Llama3,

    /// <summary>Qwen2: Llama 3's with every number character alone.</summary>
    Qwen2,
}

/// <summary>
/// Finds where the piece that starts at a byte ends, for the known patterns, on valid UTF-8 that is followed by at least
/// four zero bytes. The twins of these scanners are the expressions in <see cref="SplitPatterns"/>.
/// </summary>
internal static unsafe class Utf8Scanner
{
    /// <summary>End of the GPT-2 piece at <paramref name="at"/>; with <paramref name="digits"/> numbers stand alone.</summary>
    public static byte* Gpt2(byte* at, byte* end, bool digits)
    {
        if (*at == '\'')
        {
            int length = Contraction(at, ignoreCase: false);
            if (length > 0 && at + length <= end)
                return at + length;
        }

        int first = ClassOf(at, out int width);
        if (*at == ' ' && at + 1 < end)
        {
            int second = ClassOf(at + 1, out int secondWidth);
            if (second != CharClass.Space && !(digits && second == CharClass.Number))
                return Run(at + 1 + secondWidth, end, second);
        }

        if (first == CharClass.Space)
            return Spaces(at, end, beforeDigit: digits);
        return digits && first == CharClass.Number ? at + width : Run(at + width, end, first);
    }

    /// <summary>End of the Llama 3 piece at <paramref name="at"/>; numbers are cut every <paramref name="digits"/> characters.</summary>
    public static byte* Llama3(byte* at, byte* end, int digits)
    {
        if (*at == '\'')
        {
            int length = Contraction(at, ignoreCase: true);
            if (length > 0 && at + length <= end)
                return at + length;
        }

        int first = ClassOf(at, out int width);
        if (first == CharClass.Letter)
            return Run(at + width, end, CharClass.Letter);
        byte* then = at + width;
        if (first == CharClass.Number)
        {
            for (int n = 1; n < digits && then < end && ClassOf(then, out int more) == CharClass.Number; n++)
                then += more;
            return then;
        }

        int second = then < end ? ClassOf(then, out int secondWidth) : CharClass.Space + (secondWidth = 0);
        if (second == CharClass.Letter && *at is not ((byte)'\r' or (byte)'\n'))
            return Run(then + secondWidth, end, CharClass.Letter);
        if (first == CharClass.Other || (*at == ' ' && second == CharClass.Other))
        {
            byte* stop = Run(then, end, CharClass.Other);
            while (stop < end && *stop is (byte)'\r' or (byte)'\n')
                stop++;
            return stop;
        }

        return SpacesAfterLines(at, end);
    }

    // \s+(?!\S)|\s+ : a run leaves its last character to the word behind it.
    private static byte* Spaces(byte* at, byte* end, bool beforeDigit)
    {
        byte* last = at;
        byte* stop = at;
        int kind = CharClass.Space;
        while (stop < end && (kind = ClassOf(stop, out int width)) == CharClass.Space)
        {
            last = stop;
            stop += width;
        }

        // Numbers that stand alone were cut off first, so a run before one ends its text.
        return stop == end || last == at || (beforeDigit && kind == CharClass.Number) ? stop : last;
    }

    // \s*[\r\n]+|\s+(?!\S)|\s+ : a run ends behind its last line end, if it has one.
    private static byte* SpacesAfterLines(byte* at, byte* end)
    {
        byte* last = at;
        byte* stop = at;
        byte* line = null;
        while (stop < end && ClassOf(stop, out int width) == CharClass.Space)
        {
            last = stop;
            if (*stop is (byte)'\r' or (byte)'\n')
                line = stop + 1;
            stop += width;
        }

        return line != null ? line : stop == end || last == at ? stop : last;
    }

    private static byte* Run(byte* at, byte* end, int kind)
    {
        while (at < end && ClassOf(at, out int width) == kind)
            at += width;
        return at;
    }

    private static int Contraction(byte* at, bool ignoreCase)
    {
        int fold = ignoreCase ? 0x20 : 0;
        int first = at[1] | fold;
        int second = at[2] | fold;
        if (first is 's' or 't' or 'm' or 'd')
            return 2;
        if ((first == 'r' && second == 'e') || (first == 'v' && second == 'e') || (first == 'l' && second == 'l'))
            return 3;
        // The long s folds to s.
        return ignoreCase && at[1] == 0xC5 && at[2] == 0xBF ? 3 : 0;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int ClassOf(byte* at, out int width)
    {
        if (*at < 0x80)
        {
            width = 1;
            return CharClass.Of((char)*at);
        }

        return Wide(at, out width);
    }

    private static int Wide(byte* at, out int width)
    {
        if (*at < 0xE0)
        {
            width = 2;
            return CharClass.Of((char)(((*at & 0x1F) << 6) | (at[1] & 0x3F)));
        }

        if (*at < 0xF0)
        {
            width = 3;
            return CharClass.Of((char)(((*at & 0x0F) << 12) | ((at[1] & 0x3F) << 6) | (at[2] & 0x3F)));
        }

        width = 4;
        return CharClass.Of(((*at & 7) << 18) | ((at[1] & 0x3F) << 12) | ((at[2] & 0x3F) << 6) | (at[3] & 0x3F));
    }
}
