using CsCheck;
using Skiff.Inference;
using Skiff.Tensors;

namespace Skiff.Tests.Inference;

public sealed class StopStringsTests
{
    [Theory]
    [InlineData("one two three", "two", "one ")]
    [InlineData("one two three", "three", "one two ")]
    [InlineData("aaab", "aab", "a")]
    [InlineData("ababac", "abac", "ab")]
    [InlineData("no such thing", "xyz", "no such thing")]
    [InlineData("nearly xy", "xyz", "nearly xy")]
    public void EverySplitGivesTheSameText(string text, string stop, string expected)
    {
        // Bit i of the mask cuts after character i.
        for (int mask = 0; mask < 1 << (text.Length - 1); mask++)
        {
            StopStrings stops = new([stop]);
            string shown = "";
            int start = 0;
            for (int i = 0; i < text.Length; i++)
            {
                if (i + 1 < text.Length && (mask >> i & 1) == 0)
                    continue;
                shown += stops.Append(text[start..(i + 1)]);
                start = i + 1;
            }

            shown += stops.Flush();
            Assert.Equal(expected, shown);
            Assert.Equal(text.Contains(stop, StringComparison.Ordinal) ? stop : null, stops.Found);
        }
    }

    [Fact]
    public void SeveralStopStringsGiveTheSameTextHoweverItIsSplit()
    {
        Gen<string> word = Gen.Char["abc"].Array[1, 4].Select(c => new string(c));
        Gen.Select(word.Array[1, 4], Gen.Char["abc"].Array[0, 30].Select(c => new string(c)), Gen.Int[1, 6].Array[40]).Sample((strings, text, cuts) =>
        {
            (string whole, string? found) = Show(strings, text, [.. Enumerable.Repeat(1, 40)]);
            Assert.Equal((whole, found), Show(strings, text, cuts));
            // Nothing is lost or invented, and a stop string is never shown.
            Assert.StartsWith(whole + found, text);
            Assert.Equal(found is null, whole == text && !strings.Any(text.Contains));
            Assert.DoesNotContain(strings, whole.Contains);
        });
    }

    [Fact]
    public void OnlyAPossibleBeginningIsHeldBack()
    {
        StopStrings stops = new(["###", "\n\n"]);
        Assert.Equal("ab", stops.Append("ab#"));
        Assert.Equal("#c", stops.Append("c\n"));
        Assert.Equal("\nd", stops.Append("d"));
        Assert.Equal("", stops.Append("##"));
        Assert.Equal("##", stops.Flush());
    }

    [Fact]
    public void AnEmptyStopStringIsRefused() =>
        Assert.Equal("stop", Assert.Throws<InvalidInputException>(() => new StopStrings(["a", ""])).Field);

    private static (string Shown, string? Found) Show(string[] strings, string text, int[] cuts)
    {
        StopStrings stops = new(strings);
        string shown = "";
        for (int start = 0, i = 0; start < text.Length; i++)
        {
            int end = Math.Min(start + cuts[i % cuts.Length], text.Length);
            shown += stops.Append(text[start..end]);
            start = end;
        }

        return (shown + stops.Flush(), stops.Found);
    }
}
