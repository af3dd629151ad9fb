namespace Skiff.Serving;

/// <summary>The page's files, which lie inside the library.</summary>
internal static class WatchPage
{
    private const string Folder = "wwwroot/watch/";

    private static readonly Dictionary<string, string> s_types = new(StringComparer.Ordinal)
    {
        [".html"] = "text/html; charset=utf-8",
        [".css"] = "text/css; charset=utf-8",
        [".js"] = "text/javascript; charset=utf-8",
        [".svg"] = "image/svg+xml",
    };

    /// <summary>Address, media type and bytes of every file; "/" is <c>index.html</c>.</summary>
    public static IEnumerable<(string Address, string Type, byte[] Bytes)> Files()
    {
        foreach (string resource in typeof(WatchPage).Assembly.GetManifestResourceNames().Where(name => name.StartsWith(Folder, StringComparison.Ordinal)))
        {
            string name = resource[Folder.Length..];
            yield return (name == "index.html" ? "/" : $"/{name}", s_types[Path.GetExtension(name)], Read(resource));
        }
    }

    private static byte[] Read(string resource)
    {
        using Stream stream = typeof(WatchPage).Assembly.GetManifestResourceStream(resource)!;
        byte[] bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        return bytes;
    }
}
