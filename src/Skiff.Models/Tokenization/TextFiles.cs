using System.IO.Enumeration;
using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>Finds the text files that a command line names.</summary>
public static class TextFiles
{
    private static readonly string[] Endings = [".txt", ".jsonl", ".txt.gz", ".jsonl.gz"];

    /// <summary>
    /// Expands files, folders (all <c>.txt</c> and <c>.jsonl</c> files below, also <c>.gz</c>) and patterns with
    /// <c>*</c>, <c>?</c> and <c>**</c> (any folders between); sorted by path within each, no file twice.
    /// </summary>
    /// <param name="names">Files, folders and patterns.</param>
    /// <param name="moreEndings">What else the caller reads of a folder, such as <c>.parquet</c>.</param>
    /// <exception cref="InvalidInputException">A name matches nothing.</exception>
    public static IReadOnlyList<string> Find(IEnumerable<string> names, params IReadOnlyList<string> moreEndings) => FindEnding(names, [.. Endings, .. moreEndings]);

    /// <summary>As <see cref="Find"/>, with these endings only for the files of a folder.</summary>
    internal static IReadOnlyList<string> FindEnding(IEnumerable<string> names, string[] endings)
    {
        List<string> files = [];
        HashSet<string> seen = [];
        foreach (string name in names)
        {
            foreach (string file in Expand(name, endings))
            {
                if (seen.Add(Path.GetFullPath(file)))
                    files.Add(file);
            }
        }

        return files;
    }

    private static List<string> Expand(string name, string[] endings)
    {
        try
        {
            if (File.Exists(name))
                return [name];
            if (Directory.Exists(name))
            {
                List<string> below = [.. Directory.EnumerateFiles(name, "*", SearchOption.AllDirectories)
                    .Where(file => endings.Any(ending => file.EndsWith(ending, StringComparison.OrdinalIgnoreCase)))];
                below.Sort(StringComparer.Ordinal);
                return below.Count > 0 ? below : throw new InvalidInputException(name, "folder", $"holds no {string.Join(", ", endings[..^1])} or {endings[^1]} file");
            }

            if (name.AsSpan().IndexOfAny('*', '?') < 0)
                throw new InvalidInputException(name, "file", "not found");
            List<string> matches = [.. Match(name)];
            matches.Sort(StringComparer.Ordinal);
            return matches.Count > 0 ? matches : throw new InvalidInputException(name, "pattern", "matches no file");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw new InvalidInputException(name, "file", e.Message, e);
        }
    }

    private static IEnumerable<string> Match(string pattern)
    {
        string[] parts = pattern.Split('/', Path.DirectorySeparatorChar);
        int plain = Array.FindIndex(parts, part => part.AsSpan().IndexOfAny('*', '?') >= 0);
        string root = string.Join('/', parts[..plain]);
        root = plain == 0 ? "." : root.Length == 0 ? "/" : root;
        return Directory.Exists(root) ? Match(plain == 0 ? "" : root, parts.AsMemory(plain)) : [];
    }

    private static IEnumerable<string> Match(string folder, ReadOnlyMemory<string> parts)
    {
        string part = parts.Span[0], place = folder.Length == 0 ? "." : folder;
        if (parts.Length == 1)
        {
            return Directory.EnumerateFiles(place)
                .Where(file => FileSystemName.MatchesSimpleExpression(part == "**" ? "*" : part, Path.GetFileName(file), ignoreCase: false))
                .Select(file => Path.Combine(folder, Path.GetFileName(file)));
        }

        IEnumerable<string> below = Directory.EnumerateDirectories(place).Select(path => Path.Combine(folder, Path.GetFileName(path)));
        if (part == "**")
            return Match(folder, parts[1..]).Concat(below.SelectMany(path => Match(path, parts)));
        return below.Where(path => FileSystemName.MatchesSimpleExpression(part, Path.GetFileName(path), ignoreCase: false))
            .SelectMany(path => Match(path, parts[1..]));
    }
}
