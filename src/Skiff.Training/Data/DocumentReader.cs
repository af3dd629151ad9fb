using Skiff.Models;

namespace Skiff.Training;

/// <summary>Reads every kind of corpus file, document by document.</summary>
internal static class DocumentReader
{
    /// <summary>The ending of what <see cref="ParquetText"/> reads; the rest is <see cref="TextFileReader"/>'s.</summary>
    public const string ParquetEnding = ".parquet";

    /// <summary>Reads the files in order into a gatherer and flushes it.</summary>
    /// <exception cref="Skiff.Tensors.InvalidInputException">A file cannot be read.</exception>
    public static void Read(IReadOnlyList<string> files, DocumentGatherer gatherer, CancellationToken cancellation)
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

            if (path.EndsWith(ParquetEnding, StringComparison.OrdinalIgnoreCase))
                ParquetText.Read(path, gatherer, Tick);
            else
                TextFileReader.Read(path, gatherer, Tick);
            before += new FileInfo(path).Length;
            gatherer.SourceBytes = before;
        }

        gatherer.Flush();
    }
}
