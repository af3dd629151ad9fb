using System.Globalization;
using System.Text;

namespace Skiff.Models;

/// <summary>Python's <c>strftime</c> in the C locale.</summary>
internal static class JinjaClock
{
    public static string Format(JinjaRuntime runtime, DateTimeOffset time, string format)
    {
        StringBuilder text = new();
        for (int at = 0; at < format.Length; at++)
        {
            if (format[at] != '%' || at + 1 == format.Length)
            {
                text.Append(format[at]);
                continue;
            }

            at++;
            bool unpadded = format[at] == '-' && at + 1 < format.Length;
            string field = Field(runtime, time, format[unpadded ? ++at : at]);
            text.Append(unpadded && field.Length > 1 ? field.TrimStart('0', ' ') is { Length: > 0 } trimmed ? trimmed : "0" : field);
        }

        return text.ToString();
    }

    private static string Field(JinjaRuntime runtime, DateTimeOffset time, char code) => code switch
    {
        'Y' => Text(time, "yyyy"),
        'y' => Text(time, "yy"),
        'm' => Text(time, "MM"),
        'd' => Text(time, "dd"),
        'e' => time.Day.ToString(CultureInfo.InvariantCulture).PadLeft(2),
        'H' => Text(time, "HH"),
        'I' => Text(time, "hh"),
        'M' => Text(time, "mm"),
        'S' => Text(time, "ss"),
        'f' => Text(time, "ffffff"),
        'p' => Text(time, "tt"),
        'b' or 'h' => Text(time, "MMM"),
        'B' => Text(time, "MMMM"),
        'a' => Text(time, "ddd"),
        'A' => Text(time, "dddd"),
        'j' => time.DayOfYear.ToString("000", CultureInfo.InvariantCulture),
        'w' => ((int)time.DayOfWeek).ToString(CultureInfo.InvariantCulture),
        'u' => (time.DayOfWeek == DayOfWeek.Sunday ? 7 : (int)time.DayOfWeek).ToString(CultureInfo.InvariantCulture),
        'U' => ((time.DayOfYear + 6 - (int)time.DayOfWeek) / 7).ToString("00", CultureInfo.InvariantCulture),
        'W' => ((time.DayOfYear + 6 - (((int)time.DayOfWeek + 6) % 7)) / 7).ToString("00", CultureInfo.InvariantCulture),
        'V' => ISOWeek.GetWeekOfYear(time.DateTime).ToString("00", CultureInfo.InvariantCulture),
        'G' => ISOWeek.GetYear(time.DateTime).ToString(CultureInfo.InvariantCulture),
        'C' => (time.Year / 100).ToString("00", CultureInfo.InvariantCulture),
        's' => time.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture),
        // The clock is one without a zone, as Hugging Face uses it.
        'z' or 'Z' => "",
        'D' or 'x' => Text(time, "MM/dd/yy"),
        'F' => Text(time, "yyyy-MM-dd"),
        'T' or 'X' => Text(time, "HH:mm:ss"),
        'R' => Text(time, "HH:mm"),
        'r' => Text(time, "hh:mm:ss tt"),
        'c' => $"{Text(time, "ddd MMM")} {Field(runtime, time, 'e')} {Text(time, "HH:mm:ss yyyy")}",
        'n' => "\n",
        't' => "\t",
        '%' => "%",
        _ => throw runtime.Fail($"'%{code}' is no field of a date format"),
    };

    private static string Text(DateTimeOffset time, string format) => time.DateTime.ToString(format, CultureInfo.InvariantCulture);
}
