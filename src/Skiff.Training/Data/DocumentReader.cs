using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Training;

/// <summary>Finds and reads every kind of corpus file, document by document.</summary>
internal static class DocumentReader
{
    /// <summary>The ending of what <see cref="ParquetText"/> reads; the rest is <see cref="TextFileReader"/>'s.</summary>
    private const string ParquetEnding = ".parquet";

    /// <summary>The files that names stand for.</summary>
    /// <exception cref="InvalidInputException">A name stands for none, or a file cannot hold what is asked for.</exception>
    public static IReadOnlyList<string> Find(IEnumerable<string> names, DocumentFormat format)
    {
        if (format == DocumentFormat.Text)
            return TextFiles.Find(names, ParquetEnding);
        IReadOnlyList<string> files = TextFiles.FindEnding(names, [".jsonl", ".jsonl.gz"]);
        return files.FirstOrDefault(file => !TextFileReader.IsJsonLines(file)) is string other
            ? throw new InvalidInputException(other, "file", "conversations are read from .jsonl and .jsonl.gz files: convert it")
            : files;
    }

    /// <summary>Reads the files in order into a gatherer and flushes it; a conversation is its line, whatever it holds.</summary>
    /// <exception cref="InvalidInputException">A file cannot be read.</exception>
    public static void Read(IReadOnlyList<string> files, DocumentFormat format, DocumentGatherer gatherer, CancellationToken cancellation)
    {
        long before = 0;
        foreach (string path in files)
        {
            gatherer.Source = path;
            gatherer.Position = 0;
            long length = before;
            void Tick(long position)
            {
                cancellation.ThrowIfCancellationRequested();
                gatherer.SourceBytes = length + position;
            }

            if (format == DocumentFormat.Chat)
                TextFileReader.ReadLines(path, (line, record) => Take(gatherer, line, record), Tick);
            else if (path.EndsWith(ParquetEnding, StringComparison.OrdinalIgnoreCase))
                ParquetText.Read(path, gatherer, Tick);
            else
                TextFileReader.Read(path, gatherer, Tick);
            before += new FileInfo(path).Length;
            gatherer.SourceBytes = before;
        }

        gatherer.Flush();
    }

    private static void Take(DocumentGatherer gatherer, long line, ReadOnlySpan<byte> record)
    {
        gatherer.Line = line;
        record.CopyTo(gatherer.Room(record.Length));
        gatherer.Advance(record.Length);
        gatherer.EndDocument();
    }
}
