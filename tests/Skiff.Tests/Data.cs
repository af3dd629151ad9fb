namespace Skiff.Tests;

/// <summary>Where the shared data lies: <c>../shared/data</c> beside the repository, or <c>SKIFF_DATA</c>.</summary>
internal static class Data
{
    /// <summary>The repository's root folder.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary>The data folder, whether or not it is there.</summary>
    public static string Folder { get; } =
        Environment.GetEnvironmentVariable("SKIFF_DATA") ?? Path.GetFullPath(Path.Combine(Root, "..", "shared", "data"));

    /// <summary>A file of the data folder; the test is skipped, saying so, only where the whole folder is absent.</summary>
    public static string File(params string[] parts)
    {
        Assert.SkipUnless(Directory.Exists(Folder), $"the data folder {Folder} is absent (set SKIFF_DATA)");
        return Path.Combine([Folder, .. parts]);
    }

    private static string FindRoot()
    {
        DirectoryInfo? folder = new(AppContext.BaseDirectory);
        while (folder is not null && !System.IO.File.Exists(Path.Combine(folder.FullName, "Skiff.slnx")))
            folder = folder.Parent;
        return folder?.FullName ?? throw new InvalidOperationException("Skiff.slnx not found above the tests");
    }
}
