using System.Text;
using Parquet;
using Parquet.Meta;
using Parquet.Schema;
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Training;

/// <summary>
/// Reads the string column <c>text</c> of a parquet file (plain, snappy, gzip, zstd, ...): one document a row. Strings are
/// UTF-8 by the format's definition; the library reads bytes that are not as U+FFFD. It also believes the counts in a
/// file's metadata: a file made to harm can keep it busy or take memory, so parquet is for corpora one trusts.
/// </summary>
internal static class ParquetText
{
    private const string Column = "text";

    private static readonly UTF8Encoding s_utf8 = new();

    // A row group is in memory at once. Writers make them of 128 MB or a million rows.
    private const long MostBytes = 1L << 30;
    private const long MostRows = 1 << 24;

    /// <summary>Reads a file from end to end; <paramref name="read"/> is told about how many of its bytes are done.</summary>
    /// <exception cref="InvalidInputException">The file cannot be read, or a row has no text.</exception>
    public static void Read(string path, ITextSink sink, Action<long> read)
    {
        try
        {
            using FileStream file = new(path, FileMode.Open, FileAccess.Read, FileShare.Read);
            Read(path, file, sink, read);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new InvalidInputException(path, "file", e is FileNotFoundException or DirectoryNotFoundException ? "not found" : e.Message, e);
        }
    }

    /// <summary>Reads a stream as the file <paramref name="name"/> would be read.</summary>
    public static void Read(string name, Stream file, ITextSink sink, Action<long> read)
    {
        ParquetReader reader = Guard(name, () => ParquetReader.CreateAsync(file, leaveStreamOpen: true).GetAwaiter().GetResult());
        try
        {
            DataField? field = Guard(name, () => reader.Schema.DataFields.FirstOrDefault(field => field.Path.ToString() == Column));
            if (field is null || field.IsArray || field.ClrType != typeof(ReadOnlyMemory<char>))
                throw new InvalidInputException(name, Column, field is null ? "there is no such column" : "the column holds no strings");
            long row = 0;
            int groups = Guard(name, () => reader.RowGroupCount);
            for (int group = 0; group < groups; group++)
            {
                foreach (string? text in ReadGroup(name, reader, field, group))
                {
                    if (text is null)
                        throw new InvalidInputException(name, $"row {row}", "has no text");
                    sink.Advance(s_utf8.GetBytes(text, sink.Room(s_utf8.GetByteCount(text))));
                    sink.EndDocument();
                    row++;
                }

                read(file.Length * (group + 1) / groups);
            }
        }
        finally
        {
            reader.DisposeAsync().AsTask().GetAwaiter().GetResult();
        }
    }

    private static string?[] ReadGroup(string name, ParquetReader reader, DataField field, int group) => Guard(name, () =>
    {
        using ParquetRowGroupReader rows = reader.OpenRowGroupReader(group);
        ColumnMetaData? meta = rows.GetMetadata(field)?.MetaData;
        if (meta is null || meta.NumValues != rows.RowCount)
            throw new InvalidInputException(name, $"row group {group}", "its column and its rows do not agree");
        if (rows.RowCount is < 0 or > MostRows || meta.TotalUncompressedSize is < 0 or > MostBytes)
            throw new InvalidInputException(name, $"row group {group}", $"more than {MostRows} rows or {MostBytes} bytes: write smaller ones");
        string?[] texts = new string?[rows.RowCount];
        rows.ReadAsync(field, texts).AsTask().GetAwaiter().GetResult();
        return texts;
    });

    // The library answers a broken file with whatever its insides throw.
    private static T Guard<T>(string name, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (Exception e) when (e is not (InvalidInputException or OperationCanceledException))
        {
            throw new InvalidInputException(name, "parquet", $"cannot be read: {e.Message}", e);
        }
    }
}
