using Skiff.Cli;

namespace Skiff.Tests.EndToEnd;

public sealed class ProgressTests
{
    [Fact]
    public void RedirectedProgressIsAPlainLineEveryFiveSecondsAfterTwo()
    {
        Clock clock = new();
        using StringWriter error = new() { NewLine = "\n" };
        using (Progress progress = new(error, "scoring", "texts", 1000, clock))
        {
            for (int second = 1; second <= 10; second++)
            {
                clock.Seconds = second;
                progress.Report(second * 50, second == 7 ? "loss 2.5" : "");
            }
        }

        Assert.Equal("scoring 10% (100/1000 texts), 50.0 texts/s, 18s left\nscoring 35% (350/1000 texts), 50.0 texts/s, 13s left, loss 2.5\n", error.ToString());
    }

    [Fact]
    public void WithoutAKnownEndThereIsNoPercentAndNoTimeLeft()
    {
        Clock clock = new();
        using StringWriter error = new() { NewLine = "\n" };
        using Progress progress = new(error, "reading", "lines", 0, clock);
        clock.Seconds = 4;
        progress.Report(1000);
        Assert.Equal("reading 1000 lines, 250 lines/s\n", error.ToString());
    }

    private sealed class Clock : TimeProvider
    {
        public long Seconds { get; set; }

        public override long TimestampFrequency => 1;

        public override long GetTimestamp() => Seconds;
    }
}
