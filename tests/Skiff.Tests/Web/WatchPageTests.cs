using System.Text.RegularExpressions;
using Skiff.Serving;
using Skiff.Tests.Serving;

namespace Skiff.Tests.Web;

public sealed partial class WatchPageTests
{
    [Theory]
    [InlineData(1400, "")]
    [InlineData(500, "?x=tokens&log=1&smooth=0")]
    [InlineData(900, "?x=seconds")]
    public async Task CurvesAreDrawn(int width, string settings)
    {
        using TemporaryFolder folder = new();
        string first = RunFolders.Create(folder, "first", 300, "a boat <img src=x onerror=\"document.body.replaceChildren()\">");
        string second = RunFolders.Create(folder, "second", 200);
        RunFolders.Append(first, "{\"step\":300,\"stopped\":\"<script>document.body.replaceChildren()</script>\"}\n");
        await using WatchServer server = await WatchServer.StartAsync([first, second], new WatchOptions { Port = 0 });
        string dom = await Chromium.Dom(server.Address + settings, width);

        Assert.Contains("1 running, 1 stopped", dom, StringComparison.Ordinal);
        Assert.Equal(5, Figure().Count(dom));
        bool smooth = !settings.Contains("smooth=0", StringComparison.Ordinal);
        foreach (string run in new[] { "run-0", "run-1" })
        {
            string[] curves = [.. Path().Matches(dom).Where(path => path.Groups["class"].Value == $"curve {run}").Select(path => path.Groups["d"].Value)];
            Assert.Equal(5, curves.Length);
            Assert.All(curves, curve => Assert.Matches(Points(), curve));
            // One point a training line, in four charts, and ten validations.
            Assert.Equal(run == "run-0" ? [10, 300, 300, 300, 300] : [10, 200, 200, 200, 200], curves.Select(curve => curve.Split(',').Length - 1).Order());
            Assert.Equal(smooth ? 3 : 0, Path().Matches(dom).Count(path => path.Groups["class"].Value == $"raw {run}"));
        }

        // The loss falls from 7 to 2: downwards on the screen, so y grows.
        double[] heights = [.. Path().Match(dom, dom.IndexOf("curve run-0", StringComparison.Ordinal) - 20).Groups["d"].Value.Split(['M', 'L'], StringSplitOptions.RemoveEmptyEntries)
            .Select(point => double.Parse(point.Split(',')[1], System.Globalization.CultureInfo.InvariantCulture))];
        Assert.True(heights[^1] > heights[0] + 100, $"from {heights[0]} to {heights[^1]}");

        Assert.Contains("<td data-name=\"Loss\">2.017</td>", dom, StringComparison.Ordinal);
        Assert.Contains("stopped: &lt;script&gt;", dom, StringComparison.Ordinal);
        Assert.Contains("a boat &lt;img src=x", dom, StringComparison.Ordinal);
        Assert.DoesNotContain("<img", dom, StringComparison.Ordinal);
    }

    [GeneratedRegex("<figure>")]
    private static partial Regex Figure();

    [GeneratedRegex("<path class=\"(?<class>[^\"]*)\" d=\"(?<d>[^\"]*)\"")]
    private static partial Regex Path();

    [GeneratedRegex(@"^M-?[0-9.]+,-?[0-9.]+(L-?[0-9.]+,-?[0-9.]+)+$")]
    private static partial Regex Points();
}
