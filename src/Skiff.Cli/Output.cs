using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Microsoft.Win32.SafeHandles;
using Spectre.Console;

namespace Skiff.Cli;

/// <summary>What goes to standard output: JSON lines and tables.</summary>
internal static class Output
{
    private static readonly JsonWriterOptions s_json = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private static TextWriter? s_standard;

    /// <summary>Standard output as UTF-8 without a mark, "\n" line ends, buffered: flush what a reader waits for.</summary>
    public static TextWriter Standard() =>
        s_standard ??= new StreamWriter(OpenStandard(), new UTF8Encoding(false), 16384) { NewLine = "\n" };

    /// <summary>A text as JSON writes it: line ends and quotation marks show.</summary>
    public static string Quoted(string text) => $"\"{JsonEncodedText.Encode(text, s_json.Encoder)}\"";

    /// <summary>One JSON object on a line of its own; <paramref name="members"/> writes what is inside the braces.</summary>
    public static void Json(TextWriter output, Action<Utf8JsonWriter> members)
    {
        using MemoryStream buffer = new();
        using (Utf8JsonWriter json = new(buffer, s_json))
        {
            json.WriteStartObject();
            members(json);
            json.WriteEndObject();
        }

        output.WriteLine(Encoding.UTF8.GetString(buffer.GetBuffer(), 0, (int)buffer.Length));
    }

    /// <summary>A figure under a name; JSON has no infinity and no NaN, so those become null.</summary>
    public static void Figure(this Utf8JsonWriter json, string name, double value)
    {
        json.WritePropertyName(name);
        json.Figure(value);
    }

    /// <summary>A figure inside an array; JSON has no infinity and no NaN, so those become null.</summary>
    public static void Figure(this Utf8JsonWriter json, double value)
    {
        if (double.IsFinite(value))
            json.WriteNumberValue(value);
        else
            json.WriteNullValue();
    }

    /// <summary>A single-precision figure inside an array, with the digits that single precision needs.</summary>
    public static void Figure(this Utf8JsonWriter json, float value)
    {
        if (float.IsFinite(value))
            json.WriteNumberValue(value);
        else
            json.WriteNullValue();
    }

    /// <summary>
    /// Rows under headings; a heading that ends in "&gt;" makes its column flush right. Boxed on a terminal, plain
    /// aligned columns when redirected.
    /// </summary>
    public static void Table(TextWriter output, IReadOnlyList<string> headings, IReadOnlyList<string[]> rows)
    {
        bool[] right = headings.Select(h => h.EndsWith('>')).ToArray();
        string[] names = headings.Select(h => h.TrimEnd('>')).ToArray();
        if (ReferenceEquals(output, s_standard) && !Console.IsOutputRedirected)
        {
            Boxed(output, names, right, rows);
            return;
        }

        int[] widths = names.Select((name, c) => rows.Select(r => r[c].Length).Append(name.Length).Max()).ToArray();
        foreach (string[] row in rows.Prepend(names))
            output.WriteLine(string.Join("  ", row.Select((cell, c) => right[c] ? cell.PadLeft(widths[c]) : cell.PadRight(widths[c]))).TrimEnd());
    }

    // Its own method: the terminal library is only loaded where a table is drawn.
    private static void Boxed(TextWriter output, string[] names, bool[] right, IReadOnlyList<string[]> rows)
    {
        Table table = new() { Border = TableBorder.Rounded };
        for (int c = 0; c < names.Length; c++)
            table.AddColumn(new TableColumn(Markup.Escape(names[c])) { Alignment = right[c] ? Justify.Right : Justify.Left });
        foreach (string[] row in rows)
            table.AddRow(row.Select(Markup.Escape).ToArray());
        AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(output) }).Write(table);
    }

    // The console stream hides a broken pipe, so a verb would go on working for a reader that has left. A file stream
    // tells; but it keeps a file position of its own, so it only serves where there is none.
    private static Stream OpenStandard()
    {
        if (!OperatingSystem.IsWindows())
        {
            try
            {
                FileStream stream = new(new SafeFileHandle(1, ownsHandle: false), FileAccess.Write, bufferSize: 0);
                if (!stream.CanSeek)
                    return stream;
            }
            catch (Exception e) when (e is IOException or ArgumentException or UnauthorizedAccessException)
            {
                // Standard output is closed or odd: the console stream copes.
            }
        }

        return Console.OpenStandardOutput();
    }
}
