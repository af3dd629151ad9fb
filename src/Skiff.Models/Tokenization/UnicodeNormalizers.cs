using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Skiff.Models;

/// <summary>A Unicode normalization form: NFC, NFD, NFKC or NFKD.</summary>
internal sealed class UnicodeNormalizer(string form) : Normalizer
{
    /// <summary>The form's name.</summary>
    public string Form => form;

    /// <inheritdoc/>
    public override string Apply(string text) =>
        UnicodeForms.Normalize(text, compatibility: form.Contains('K'), compose: form.EndsWith('C'));

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter json) => WriteType(json, form);

    /// <summary>Writes an object that has nothing but its type.</summary>
    public static void WriteType(Utf8JsonWriter json, string type)
    {
        json.WriteStartObject();
        json.WriteString("type", type);
        json.WriteEndObject();
    }
}

/// <summary>Lower case, character by character.</summary>
internal sealed class LowercaseNormalizer : Normalizer
{
    /// <inheritdoc/>
    public override string Apply(string text) => Lower(text);

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter json) => UnicodeNormalizer.WriteType(json, "Lowercase");

    /// <summary>The dotted capital I is the one character whose lower case is two.</summary>
    public static string Lower(string text) => text.Replace("\u0130", "i\u0307", StringComparison.Ordinal).ToLowerInvariant();
}

/// <summary>Drops the marks of a text that is decomposed already.</summary>
internal sealed class StripAccentsNormalizer : Normalizer
{
    /// <inheritdoc/>
    public override string Apply(string text) => Strip(text, static c => c is UnicodeCategory.NonSpacingMark
        or UnicodeCategory.SpacingCombiningMark or UnicodeCategory.EnclosingMark);

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter json) => UnicodeNormalizer.WriteType(json, "StripAccents");

    /// <summary>Drops the characters of some categories.</summary>
    public static string Strip(string text, Func<UnicodeCategory, bool> dropped)
    {
        StringBuilder result = new(text.Length);
        foreach (Rune rune in text.EnumerateRunes())
        {
            if (!dropped(Rune.GetUnicodeCategory(rune)))
                result.Append(rune.ToString());
        }

        return result.Length == text.Length ? text : result.ToString();
    }
}

/// <summary>The clean-up of neural machine translation: control characters dropped, odd spaces made plain.</summary>
internal sealed class NmtNormalizer : Normalizer
{
    /// <inheritdoc/>
    public override string Apply(string text)
    {
        StringBuilder result = new(text.Length);
        foreach (char c in text)
        {
            if (c is (>= '\u0001' and <= '\u0008') or '\u000B' or (>= '\u000E' and <= '\u001F') or '\u007F' or '\u008F' or '\u009F')
                continue;
            bool space = c is '\t' or '\n' or '\f' or '\r' or '\u1680' or (>= '\u200B' and <= '\u200F') or '\u2028' or '\u2029' or '\u2581'
                or '\uFEFF' or '\uFFFD';
            result.Append(space ? ' ' : c);
        }

        return result.ToString();
    }

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter json) => UnicodeNormalizer.WriteType(json, "Nmt");
}

/// <summary>BERT's: clean the text, set Chinese characters apart, strip accents, lower the case; each if asked to.</summary>
internal sealed class BertNormalizer(bool clean, bool chinese, bool? accents, bool lower) : Normalizer
{
    /// <summary>Reads the settings; accents follow the case where they are not set.</summary>
    public static new BertNormalizer Read(JsonField node) => new(
        node.Bool("clean_text", true),
        node.Bool("handle_chinese_chars", true),
        node.TryGet("strip_accents", out JsonField accents) ? accents.Bool() : null,
        node.Bool("lowercase", true));

    /// <inheritdoc/>
    public override string Apply(string text)
    {
        StringBuilder result = new(text.Length);
        foreach (Rune rune in text.EnumerateRunes())
        {
            if (clean && (rune.Value is 0 or 0xFFFD || IsControl(rune)))
                continue;
            if (chinese && IsChinese(rune.Value))
                result.Append(' ').Append(rune.ToString()).Append(' ');
            else
                result.Append(clean && Rune.IsWhiteSpace(rune) ? " " : rune.ToString());
        }

        text = result.ToString();
        if (accents ?? lower)
            text = StripAccentsNormalizer.Strip(UnicodeForms.Normalize(text, compatibility: false, compose: false), static c => c == UnicodeCategory.NonSpacingMark);
        return lower ? LowercaseNormalizer.Lower(text) : text;
    }

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("type", "BertNormalizer");
        json.WriteBoolean("clean_text", clean);
        json.WriteBoolean("handle_chinese_chars", chinese);
        if (accents is bool strips)
            json.WriteBoolean("strip_accents", strips);
        else
            json.WriteNull("strip_accents");
        json.WriteBoolean("lowercase", lower);
        json.WriteEndObject();
    }

    private static bool IsControl(Rune rune) => rune.Value is not ('\t' or '\n' or '\r') && Rune.GetUnicodeCategory(rune)
        is UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.OtherNotAssigned or UnicodeCategory.PrivateUse;

    private static bool IsChinese(int c) => c is (>= 0x4E00 and <= 0x9FFF) or (>= 0x3400 and <= 0x4DBF) or (>= 0x20000 and <= 0x2A6DF)
        or (>= 0x2A700 and <= 0x2B73F) or (>= 0x2B740 and <= 0x2B81F) or (>= 0x2B920 and <= 0x2CEAF) or (>= 0xF900 and <= 0xFAFF)
        or (>= 0x2F800 and <= 0x2FA1F);
}
