using System.Globalization;
using System.Text;

namespace Skiff.Models;

/// <summary>
/// The Unicode normalization forms (UAX 15) from a table of our own: under invariant globalization the framework's
/// <see cref="string.Normalize(NormalizationForm)"/> leaves text outside ASCII as it is.
/// </summary>
internal sealed class UnicodeForms
{
    // Hangul syllables are composed by arithmetic (Unicode standard, section 3.12).
    private const int SyllableBase = 0xAC00;
    private const int LeadBase = 0x1100;
    private const int VowelBase = 0x1161;
    private const int TailBase = 0x11A7;
    private const int Vowels = 21;
    private const int Tails = 28;
    private const int Syllables = 19 * Vowels * Tails;

    private static readonly Lazy<UnicodeForms> s_tables = new(() => new UnicodeForms());

    private readonly Dictionary<int, byte> _classes = [];
    private readonly Dictionary<int, int[]> _canonical = [];
    private readonly Dictionary<int, int[]> _compatible = [];
    private readonly Dictionary<(int First, int Second), int> _composed = [];

    private UnicodeForms()
    {
        using Stream stream = typeof(UnicodeForms).Assembly.GetManifestResourceStream("Skiff.Models.UnicodeForms.txt")!;
        using StreamReader reader = new(stream);
        reader.ReadLine();
        while (reader.ReadLine() is string line)
        {
            string[] fields = line.Split(';');
            int codePoint = Hex(fields[0]);
            if (fields[1].Length > 0)
                _classes[codePoint] = byte.Parse(fields[1], CultureInfo.InvariantCulture);
            if (fields[2].Length == 0)
                continue;
            int[] parts = [.. fields[2][1..].Split(' ').Select(Hex)];
            if (fields[2][0] != '<')
                _canonical[codePoint] = parts;
            _compatible[codePoint] = parts;
            if (fields[2][0] == '=')
                _composed[(parts[0], parts[1])] = codePoint;
        }
    }

    /// <summary>The text in a form; the same object where it is in that form already and that is quickly seen.</summary>
    public static string Normalize(string text, bool compatibility, bool compose)
    {
        // Nothing below U+0300 is changed by NFC, nothing below U+00A0 by any form.
        if (text.AsSpan().IndexOfAnyExceptInRange('\0', compose && !compatibility ? '\u02FF' : '\u009F') < 0)
            return text;
        return s_tables.Value.Run(text, compatibility, compose);
    }

    /// <summary>The canonical combining class.</summary>
    public static int CombiningClass(int codePoint) => s_tables.Value._classes.GetValueOrDefault(codePoint);

    private string Run(string text, bool compatibility, bool compose)
    {
        List<int> points = new(text.Length);
        foreach (Rune rune in text.EnumerateRunes())
            Decompose(rune.Value, compatibility ? _compatible : _canonical, points);
        Order(points);
        if (compose)
            Compose(points);
        StringBuilder result = new(points.Count);
        foreach (int point in points)
            result.Append(new Rune(point).ToString());
        return result.ToString();
    }

    private static void Decompose(int point, Dictionary<int, int[]> table, List<int> into)
    {
        int syllable = point - SyllableBase;
        if (syllable is >= 0 and < Syllables)
        {
            into.Add(LeadBase + (syllable / (Vowels * Tails)));
            into.Add(VowelBase + (syllable / Tails % Vowels));
            if (syllable % Tails != 0)
                into.Add(TailBase + (syllable % Tails));
        }
        else if (table.TryGetValue(point, out int[]? parts))
        {
            foreach (int part in parts)
                Decompose(part, table, into);
        }
        else
        {
            into.Add(point);
        }
    }

    // Marks are put in order of their class. A stable sort of each run: a text of marks alone must not take quadratic time.
    private void Order(List<int> points)
    {
        for (int start = 0; start < points.Count; start++)
        {
            int end = start;
            bool ordered = true;
            int previous = 0;
            for (; end < points.Count && _classes.TryGetValue(points[end], out byte kind); end++)
            {
                ordered &= kind >= previous;
                previous = kind;
            }

            if (!ordered)
            {
                int[] run = [.. points.GetRange(start, end - start).OrderBy(p => _classes[p])];
                for (int i = 0; i < run.Length; i++)
                    points[start + i] = run[i];
            }

            start = Math.Max(start, end);
        }
    }

    private void Compose(List<int> points)
    {
        int kept = 0;
        int starter = -1;
        int previous = -1;
        for (int i = 0; i < points.Count; i++)
        {
            int point = points[i];
            int kind = _classes.GetValueOrDefault(point);
            // A mark is blocked from its starter by one of the same or a higher class in between.
            if (starter >= 0 && previous < kind && Pair(points[starter], point) is int composed and >= 0)
            {
                points[starter] = composed;
                continue;
            }

            if (kind == 0)
            {
                starter = kept;
                previous = -1;
            }
            else
            {
                previous = kind;
            }

            points[kept++] = point;
        }

        points.RemoveRange(kept, points.Count - kept);
    }

    private int Pair(int first, int second)
    {
        int lead = first - LeadBase;
        int vowel = second - VowelBase;
        if (lead is >= 0 and < 19 && vowel is >= 0 and < Vowels)
            return SyllableBase + (((lead * Vowels) + vowel) * Tails);
        int syllable = first - SyllableBase;
        int tail = second - TailBase;
        if (syllable is >= 0 and < Syllables && syllable % Tails == 0 && tail is > 0 and < Tails)
            return first + tail;
        return _composed.GetValueOrDefault((first, second), -1);
    }

    private static int Hex(string text) => int.Parse(text, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
}
