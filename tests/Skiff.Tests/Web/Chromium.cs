using System.Diagnostics;

namespace Skiff.Tests.Web;

/// <summary>A real browser without a window.</summary>
internal static class Chromium
{
    private static readonly string[] s_names = ["chromium", "chromium-browser", "google-chrome"];

    /// <summary>The page as the browser has it after its scripts have run for some seconds; skips the test where there is no browser.</summary>
    public static async Task<string> Dom(string address, int width)
    {
        string? program = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
            .SelectMany(folder => s_names.Select(name => Path.Combine(folder, name))).FirstOrDefault(File.Exists);
        Assert.SkipWhen(program is null, "no Chromium on the PATH (Debian: apt-get install chromium)");
        using TemporaryFolder profile = new();
        // Time in the page runs as fast as the page allows: the budget is the page's seconds, not ours. In a container there
        // is no sandbox to be had.
        ProcessStartInfo start = new(program!, ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", $"--user-data-dir={profile.File("profile")}",
            $"--window-size={width},1200", "--virtual-time-budget=5000", "--dump-dom", address])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using Process browser = Process.Start(start)!;
        using CancellationTokenSource patience = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        patience.CancelAfter(TimeSpan.FromMinutes(2));
        Task<string> noise = browser.StandardError.ReadToEndAsync(CancellationToken.None);
        try
        {
            string dom = await browser.StandardOutput.ReadToEndAsync(patience.Token);
            await browser.WaitForExitAsync(patience.Token);
            Assert.True(browser.ExitCode == 0, await noise);
            return dom;
        }
        finally
        {
            if (!browser.HasExited)
                browser.Kill(entireProcessTree: true);
        }
    }
}
