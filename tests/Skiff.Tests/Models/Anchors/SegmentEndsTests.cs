using Skiff.Models;

namespace Skiff.Tests.Models;

/// <summary>What ends a segment, in published vocabularies and in the worst texts.</summary>
public sealed class SegmentEndsTests
{
    public static TheoryData<string> Tokenizers => ["smollm2/tokenizer.json", "gpt-neox/tokenizer.json", "llama2/tokenizer.model", "dolma2/tokenizer.json"];

    [Theory]
    [MemberData(nameof(Tokenizers))]
    public void SentencesEndAtTheirMarks(string file)
    {
        Tokenizer tokenizer = Tokenizer.Load(Data.File("tokenizers", file));
        AnchorConfig sentences = AnchorTokens.Sentences(tokenizer);
        Assert.Equal(["It ran.", " It hid!", " Did it?", " \"Yes.\"", " So it did."], Segments("It ran. It hid! Did it? \"Yes.\" So it did."));
        // Decimals, abbreviations and initials end nothing.
        Assert.Equal(["It weighs 3.14 pounds, as Mr. Brown said, e.g. on Monday, in the U.S. too."], Segments("It weighs 3.14 pounds, as Mr. Brown said, e.g. on Monday, in the U.S. too."));
        Assert.Equal(["no marks at all and nothing that ends"], Segments("no marks at all and nothing that ends"));
        Assert.Equal(["."], Segments("."));
        // A mark first closes a segment of its own.
        Assert.Equal([".", " And then."], Segments(". And then."));
        Assert.True(Segments("...?!?!...").Length >= 1);

        string[] Segments(string text)
        {
            SegmentEnds ends = new(sentences);
            List<string> segments = [];
            List<int> open = [];
            int shown = 0;
            int[] ids = tokenizer.Encode(text, addSpecial: false);
            for (int i = 0; i < ids.Length; i++)
            {
                open.Add(ids[i]);
                bool last = i == ids.Length - 1;
                if (!ends.Next(ids[i]) && !last)
                    continue;
                // As a piece of the whole, so that blanks stay where they are.
                string all = tokenizer.Decode(ids.AsSpan(0, i + 1));
                segments.Add(all[shown..]);
                shown = all.Length;
            }

            return [.. segments];
        }
    }

    [Fact]
    public void WhatIsToComeDecidesNothing()
    {
        Tokenizer tokenizer = ByteLevelTokenizer.Create(600);
        AnchorConfig config = AnchorTokens.Sentences(tokenizer) with { MaxSegment = 9 };
        Random random = new(1);
        for (int round = 0; round < 200; round++)
        {
            int[] ids = tokenizer.Encode(new string([.. Enumerable.Range(0, 40).Select(_ => "ab1.?! \n"[random.Next(8)])]), addSpecial: false);
            bool[] whole = Marks(config, ids);
            int cut = random.Next(ids.Length + 1);
            Assert.Equal(whole[..cut], Marks(config, ids[..cut]));
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void NoSegmentIsLongerThanTheLongest(int each)
    {
        AnchorConfig config = new() { EndIds = [1], MaxSegment = 7, AnchorsPerSegment = each };
        Random random = new(2);
        bool[] marks = Marks(config, [.. Enumerable.Range(0, 500).Select(_ => random.Next(20))]);
        int length = 0;
        foreach (bool closes in marks)
        {
            length++;
            Assert.True(length <= 7);
            length = closes ? 0 : length;
        }

        // Without any end, force alone.
        Assert.Equal([6, 13, 20], Marks(config, new int[21]).Select((closes, i) => (closes, i)).Where(m => m.closes).Select(m => m.i));
    }

    [Fact]
    public void AddedAnchorsStandBehindEveryEndButTheLast()
    {
        AnchorConfig config = new() { EndIds = [1], StopIds = [2], NotAfterIds = [3], AddedId = 9 };
        Assert.Equal([5, 1, 9, 5, 2, 9, 5, 1], AnchorInserter.Insert(config, [5, 1, 5, 2, 5, 1], null));
        Assert.Equal([3, 2, 5], AnchorInserter.Insert(config, [3, 2, 5], null));
        // Those that are there are not doubled, and none comes before the end of the text.
        Assert.Equal([5, 1, 9, 5, 1, 7], AnchorInserter.Insert(config, [5, 1, 9, 5, 1, 7], 7));
        Assert.Equal([5, 1, 9, 9, 5], AnchorInserter.Insert(config with { AnchorsPerSegment = 2 }, [5, 1, 5], null));
        Assert.Equal([5, 1, 5], AnchorInserter.Insert(config with { AddedId = null }, [5, 1, 5], null));
        Assert.Empty(AnchorInserter.Insert(config, [], null));
        // The last of those that belong together closes.
        Assert.Equal([false, false, false, true, false], Marks(config with { AnchorsPerSegment = 2 }, [5, 1, 9, 9, 5]));
        Assert.Equal([false, false, true, false], Marks(config, [5, 1, 9, 5]));
    }

    [Fact]
    public void LinesEndAtTheirBreaks()
    {
        Tokenizer tokenizer = ByteLevelTokenizer.Create(600);
        AnchorConfig lines = AnchorTokens.Lines(tokenizer);
        Assert.Equal([false, true, false, false, true], Marks(lines, tokenizer.Encode("a\nb.\n", addSpecial: false)));
    }

    // Rules by definition over all positions, against the walk that kernels and caches go by.
    [Fact]
    public void TheWalkSeesWhatTheDefinitionSays()
    {
        Random random = new(3);
        for (int round = 0; round < 300; round++)
        {
            int kind = random.Next(3);
            AnchorConfig config = new()
            {
                EndIds = [0],
                AnchorsSeeAnchors = random.Next(2) == 0,
                AnchorsPerSegment = random.Next(1, 4),
                MaxSegment = random.Next(3) == 0 ? random.Next(4, 12) : 0,
                LastVisible = random.Next(2) * random.Next(10),
                Sinks = kind == 0 ? random.Next(5) : 0,
                SegmentsPerGroup = kind != 1 && random.Next(2) == 0 ? random.Next(2, 5) : 0,
                LastAnchors = kind == 1 ? random.Next(1, 6) : 0,
            };
            int time = random.Next(1, 50);
            int[] tokens = [.. Enumerable.Range(0, time).Select(_ => random.Next(random.Next(1, 8)))];
            AnchorMask mask = new(config);
            Array.ForEach(tokens, mask.Append);
            Skiff.Tensors.Visibility seen = Seen(config, tokens);
            for (int i = 0; i < time; i++)
            {
                for (int j = 0; j < time; j++)
                    Assert.True(mask.Sees(i, j) == seen.Sees(i, j), $"{config}: {string.Join(' ', tokens)}: {i} sees {j}");
            }
        }

        static Skiff.Tensors.Visibility Seen(AnchorConfig config, int[] tokens)
        {
            Skiff.Tensors.Visibility seen = new(tokens.Length);
            seen.Set(config.Rule, tokens.Length, default, Marks(config, tokens));
            return seen;
        }
    }

    // The reference's picture: two segments of three words and their ends, and a word.
    [Fact]
    public void TheMaskIsThatOfThePaper()
    {
        AnchorMask mask = new(new AnchorConfig { EndIds = [0] });
        foreach (int token in new[] { 1, 1, 1, 0, 1, 1, 0, 1 })
            mask.Append(token);
        string[] rows = [.. Enumerable.Range(0, 8).Select(i => new string([.. Enumerable.Range(0, i + 1).Select(j => mask.Sees(i, j) ? '1' : '0')]))];
        Assert.Equal(["1", "11", "111", "1111", "00011", "000111", "0000111", "00010011"], rows);
    }

    private static bool[] Marks(AnchorConfig config, int[] ids)
    {
        SegmentMarker marker = new(config);
        return [.. ids.Select(marker.Next)];
    }
}
