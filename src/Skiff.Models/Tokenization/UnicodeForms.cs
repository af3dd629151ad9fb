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
    private readonly byte[] _marked = new byte[0x10000];

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

        Mark();
    }

    /// <summary>The text in a form; the same object where it is in that form already and that is quickly seen.</summary>
    public static string Normalize(string text, bool compatibility, bool compose)
    {
        // Nothing below U+0300 is changed by NFC, nothing below U+00A0 by any form.
        if (text.AsSpan().IndexOfAnyExceptInRange('\0', compose && !compatibility ? '\u02FF' : '\u009F') < 0)
            return text;
        return s_tables.Value.RunAround(text, compatibility, compose);
    }

    // Everything but a marked character and its neighbours is copied, or left alone: most text has few or none.
    private string RunAround(string text, bool compatibility, bool compose)
    {
        byte flag = Flag(compatibility, compose);
        StringBuilder? result = null;
        int copied = 0;
        for (int at = 0; at < text.Length; at++)
        {
            if ((_marked[text[at]] & flag) == 0)
                continue;
            // The character before may take the marked one in.
            int start = Math.Max(copied, at - (at > 1 && char.IsLowSurrogate(text[at - 1]) ? 2 : 1));
            int end = at + 1;
            while (end < text.Length && (_marked[text[end]] & flag) != 0)
                end++;
            result ??= new StringBuilder(text.Length);
            result.Append(text, copied, start - copied).Append(Run(text[start..end], compatibility, compose));
            copied = at = end;
        }

        return result is null ? text : result.Append(text, copied, text.Length - copied).ToString();
    }

    // A character is marked for a form if the form may change it, move it, or join it to the one before.
    private void Mark()
    {
        foreach (int point in _classes.Keys)
            Mark(point, 15);
        foreach ((int point, int[] parts) in _compatible)
        {
            bool canonical = _canonical.ContainsKey(point);
            bool composes = canonical && _composed.ContainsKey((parts[0], parts.Length > 1 ? parts[1] : -1));
            byte flags = (byte)(Flag(true, false) | (canonical ? Flag(false, false) : 0));
            if (canonical && !composes)
                flags |= Flag(false, true);
            if (!composes || !Decomposed(point, _compatible).SequenceEqual(Decomposed(point, _canonical)))
                flags |= Flag(true, true);
            Mark(point, flags);
        }

        foreach ((_, int second) in _composed.Keys)
            Mark(second, (byte)(Flag(false, true) | Flag(true, true)));
        for (int vowel = VowelBase; vowel < TailBase + Tails; vowel++)
            Mark(vowel, (byte)(Flag(false, true) | Flag(true, true)));
        for (int syllable = SyllableBase; syllable < SyllableBase + Syllables; syllable++)
            Mark(syllable, (byte)(Flag(false, false) | Flag(true, false)));
        // Outside the basic plane it is not worth telling characters apart.
        _marked.AsSpan(0xD800, 0x800).Fill(15);
    }

    private static List<int> Decomposed(int point, Dictionary<int, int[]> table)
    {
        List<int> parts = [];
        Decompose(point, table, parts);
        return parts;
    }

    private void Mark(int point, byte flags)
    {
        if (point < _marked.Length)
            _marked[point] |= flags;
    }

    private static byte Flag(bool compatibility, bool compose) => (byte)(1 << ((compatibility ? 2 : 0) + (compose ? 1 : 0)));

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
