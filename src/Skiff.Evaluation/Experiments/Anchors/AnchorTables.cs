using System.Text;
using System.Text.Json.Nodes;
using Skiff.Inference;

namespace Skiff.Evaluation;

/// <summary>The tables of one size.</summary>
internal sealed class AnchorTables(AnchorModelSize size, IReadOnlyDictionary<string, JsonObject> figures, StringBuilder page)
{
    private IEnumerable<int> Seeds => Enumerable.Range(1, size.Seeds);

    /// <summary>How many names are told right by how much of the cache is kept.</summary>
    public LineChart Chart() => new()
    {
        Title = "Last names told right behind five demonstrations, by entries kept",
        XLabel = "entries kept, % of the prompt's tokens",
        YLabel = "right answers, %",
        XTicks = [0.5, 1, 2, 5, 10, 20, 50, 100],
        YTicks = [0, 20, 40, 60, 80, 100],
        LogX = true,
        Series =
        [
            .. Enum.GetValues<SelectionPolicy>().Select(policy => new ChartSeries(
                $"{policy}, untrained", [.. AnchorExperiment.Budgets.Order().Select(percent => (100 * AnchorItems.BudgetOf(percent), 100 * Seeds.Average(seed => NamesOf(Kept(seed, policy, percent)))))])),
            .. size.Arms.Select(arm => new ChartSeries(
                arm.What, [(100 * Mean(arm.Name, "cache", "entries") / Mean(arm.Name, "cache", "tokens"), 100 * Seeds.Average(seed => NamesOf(Items(seed, arm.Name, "shots5"))))], Line: false)),
        ],
    };

    public void Write()
    {
        Quality();
        Cache();
        Narrow();
        Policies();
        Names();
        Times();
        Streams();
    }

    private void Quality()
    {
        page.Append("### Quality\n\n");
        List<string[]> rows = [["way", "bits/byte", "same weights, full", "behind an anchor / others, bits", "0-shot", "1-shot", "5-shot", "places / names", "5-shot against full attention (95%)", "McNemar p"]];
        foreach (AnchorArm arm in size.Arms)
        {
            (Interval difference, double p) = Against(arm.Name, "shots5");
            bool full = arm.Recipe is null;
            rows.Add(
            [
                arm.What, Bits(arm.Name, "text"), full ? "" : Bits(arm.Name, "text_full"), full ? "" : $"{F(Mean(arm.Name, "text", "first"), "0.00")} / {F(Mean(arm.Name, "text", "others"), "0.00")}",
                Percent(arm.Name, "shots0"), Percent(arm.Name, "shots1"), Percent(arm.Name, "shots5"), Halves(seed => Items(seed, arm.Name, "shots5")), full ? "" : Points(difference), full ? "" : F(p, "0.0e+0"),
            ]);
        }

        (Interval untrained, double chance) = Against(AnchorArm.Full, "shots5_untrained");
        rows.Add(["end points, untrained", Bits(AnchorArm.Full, "text_untrained"), "", "", "", "", Percent(AnchorArm.Full, "shots5_untrained"), Halves(seed => Items(seed, AnchorArm.Full, "shots5_untrained")), Points(untrained), F(chance, "0.0e+0")]);
        Markdown.Table(page, rows);
    }

    private void Cache()
    {
        page.Append("### Cache behind the five demonstrations\n\n");
        List<string[]> rows = [["way", "entries of tokens", "saved (least to most)", "bytes, steady", "peak, passes of 512 tokens", "peak, passes of 64"]];
        foreach (AnchorArm arm in size.Arms)
        {
            double tokens = Mean(arm.Name, "cache", "tokens"), entries = Mean(arm.Name, "cache", "entries");
            double least = Seeds.Min(seed => (double)Of(seed, arm.Name, "cache")["least_saved"]!), most = Seeds.Max(seed => (double)Of(seed, arm.Name, "cache")["most_saved"]!);
            rows.Add(
            [
                arm.What, $"{F(entries, "0.0")} of {F(tokens, "0")}", $"{F(100 * (1 - (entries / tokens)), "0.0")}% ({F(100 * least, "0.0")} to {F(100 * most, "0.0")})",
                F(Mean(arm.Name, "cache", "bytes"), "0"), F(Mean(arm.Name, "cache", "peak_bytes"), "0"), F(Mean(arm.Name, "cache_short", "peak_bytes"), "0"),
            ]);
        }

        Markdown.Table(page, rows);
    }

    private void Narrow()
    {
        page.Append("### In 8 bits\n\n");
        List<string[]> rows = [["way", "bits/byte", "5-shot", "against 32 bits (95%)", "bytes, steady", "of a full cache in 32 bits"]];
        foreach (AnchorArm arm in size.Arms.Where(arm => AnchorExperiment.Narrow.Contains(arm.Name)))
        {
            double bytes = Mean(arm.Name, "cache_int8", "bytes");
            Interval difference = Compare(seed => (Items(seed, arm.Name, "shots5_int8"), Items(seed, arm.Name, "shots5")));
            rows.Add([arm.What, Bits(arm.Name, "text_int8"), Percent(arm.Name, "shots5_int8"), Points(difference), F(bytes, "0"), F(100 * bytes / Mean(AnchorArm.Full, "cache", "bytes"), "0.0") + "%"]);
        }

        Markdown.Table(page, rows);
    }

    private void Policies()
    {
        page.Append("### Without training: 5-shot accuracy by entries kept of the full attention's prompt, % (places / names)\n\n");
        List<string[]> rows = [["policy", .. AnchorExperiment.Budgets.Select(percent => F(100 * AnchorItems.BudgetOf(percent), "0.##") + "%")]];
        foreach (SelectionPolicy policy in Enum.GetValues<SelectionPolicy>())
            rows.Add([policy.ToString(), .. AnchorExperiment.Budgets.Select(percent => $"{F(100 * Seeds.Average(seed => Kept(seed, policy, percent).Average()), "0.0")} ({Halves(seed => Kept(seed, policy, percent))})")]);
        Markdown.Table(page, rows);
        rows = [["way against policies at 10%", .. Enum.GetValues<SelectionPolicy>().Select(policy => policy.ToString())]];
        foreach (AnchorArm arm in size.Arms.Where(arm => arm.Recipe is not null))
        {
            rows.Add([arm.What, .. Enum.GetValues<SelectionPolicy>().Select(policy =>
                Points(Compare(seed => (Items(seed, arm.Name, "shots5"), Kept(seed, policy, 10)))))]);
        }

        Markdown.Table(page, rows);
    }

    private void Names()
    {
        page.Append("### A last name told once: right answers of four, by sentences between and people in the sentence\n\n");
        string[] cells = [.. Of(1, AnchorArm.Full, "names").Select(cell => cell.Key)];
        int each = figures[$"{size.Name}-1-{AnchorArm.Full}-figures"]["shots5"]!.ToString().Length > 100 ? new AnchorMeasure().Names : AnchorMeasure.Smoke.Names;
        Markdown.Table(page, [["way", .. cells], .. size.Arms.Select(arm => (string[])[arm.What, .. cells.Select(cell => F(100 * Seeds.Average(seed => (double)Of(seed, arm.Name, "names")[cell]!) / each, "0") + "%")])]);
    }

    private void Times()
    {
        if (!figures.TryGetValue($"{size.Name}-times", out JsonObject? times))
            return;
        page.Append("### Time to the first token of an answer, prefix ready: milliseconds, median (95%)\n\n");
        List<string[]> rows = [["anchors", "prefix", "entries", "prompt read again", "full cache", "anchor cache", "against reading again", "against the full cache (middle half)", "making the anchor cache", "32 tokens more: full / anchor"]];
        foreach ((string arm, JsonNode? by) in times)
        {
            foreach ((string length, JsonNode? t) in by!.AsObject())
            {
                string Milliseconds(string way) => $"{F((double)t![way]![0]!, "0.00")} ({F((double)t[way]![1]!, "0.00")})";
                rows.Add(
                [
                    arm, length, t!["entries"]!.ToString(), Milliseconds("none"), Milliseconds("full"), Milliseconds("anchor"), F((double)t["recompute_ratio"]![0]!, "0.0"),
                    $"{F((double)t["full_ratio"]![0]!, "0.00")} ({F((double)t["full_ratio"]![1]!, "0.00")} to {F((double)t["full_ratio"]![2]!, "0.00")})", Milliseconds("build"),
                    $"{F((double)t["decode_full"]![0]!, "0.00")} / {F((double)t["decode_anchor"]![0]!, "0.00")}",
                ]);
            }
        }

        Markdown.Table(page, rows);
    }

    private void Streams()
    {
        if (!figures.ContainsKey($"{size.Name}-1-stream"))
            return;
        page.Append("### A book read from end to end in constant memory: bits/byte\n\n");
        Markdown.Table(page,
            [["seed", "tokens", "positions seen", "anchors", "window", "window and 4 sinks"],
            .. Seeds.Select(seed =>
            {
                JsonNode book = figures[$"{size.Name}-{seed}-stream"]["book"]!;
                return (string[])[$"{seed}", book["tokens"]!.ToString(), book["seen"]!.ToString(), F((double)book["anchor"]!, "0.0000"), F((double)book["window"]!, "0.0000"), F((double)book["sinks"]!, "0.0000")];
            })]);
        page.Append("Generated, most bytes of the cache after so many tokens: ").AppendJoin(", ", figures[$"{size.Name}-1-stream"]["generated"]!.AsObject().Select(pair => $"{pair.Key}: {pair.Value}")).Append(".\n\n");
    }

    private JsonObject Of(int seed, string arm, string name) => figures[$"{size.Name}-{seed}-{arm}-figures"][name]!.AsObject();

    private double Mean(string arm, string name, string figure) => Seeds.Average(seed => (double)Of(seed, arm, name)[figure]!);

    private string Bits(string arm, string name)
    {
        double[] each = [.. Seeds.Select(seed => Numbers(Of(seed, arm, name)["bits"]!).Sum() / Numbers(Of(seed, arm, name)["bytes"]!).Sum())];
        return F(each.Average(), "0.0000") + (each.Length > 1 ? $" ± {F(Math.Sqrt(each.Sum(value => Math.Pow(value - each.Average(), 2)) / (each.Length - 1)), "0.0000")}" : "");
    }

    private static double[] Numbers(JsonNode list) => [.. list.AsArray().Select(value => (double)value!)];

    private double[] Items(int seed, string arm, string name) => Answers(figures[$"{size.Name}-{seed}-{arm}-figures"], name);

    private double[] Kept(int seed, SelectionPolicy policy, int percent) => Answers(figures[$"{size.Name}-{seed}-policies"], $"{policy}/{percent}");

    private static double NamesOf(double[] items) => items.Where((_, i) => i % AnchorItems.Questions >= AnchorItems.Questions / 2).Average();

    // Of a prompt's questions the first half is about places, the second about names.
    private string Halves(Func<int, double[]> items) => $"{Half(items, 0)} / {Half(items, AnchorItems.Questions / 2)}";

    private string Half(Func<int, double[]> items, int first) =>
        F(100 * Seeds.Average(seed => items(seed).Where((_, i) => i % AnchorItems.Questions - first is >= 0 and < AnchorItems.Questions / 2).Average()), "0.0");

    private static double[] Answers(JsonObject figures, string name) => [.. figures[name]!.ToString().Select(digit => (double)(digit - '0'))];

    private string Percent(string arm, string name) => F(100 * Seeds.Average(seed => Items(seed, arm, name).Average()), "0.0") + "%";

    private (Interval Difference, double P) Against(string arm, string name) => (
        Compare(seed => (Items(seed, arm, name), Items(seed, AnchorArm.Full, "shots5"))),
        Paired.McNemar([.. Seeds.SelectMany(seed => Items(seed, arm, name))], [.. Seeds.SelectMany(seed => Items(seed, AnchorArm.Full, "shots5"))]));

    // All seeds' items together; a prompt of a seed is a cluster.
    private Interval Compare(Func<int, (double[] A, double[] B)> sides)
    {
        List<double> a = [], b = [];
        List<int> clusters = [];
        foreach (int seed in Seeds)
        {
            (double[] first, double[] second) = sides(seed);
            int before = clusters.Count / AnchorItems.Questions;
            clusters.AddRange(first.Select((_, i) => before + i / AnchorItems.Questions));
            a.AddRange(first);
            b.AddRange(second);
        }

        return Paired.Difference([.. a], [.. b], [.. clusters]);
    }

    private static string Points(Interval difference) => $"{Signed(difference.Mean)} ({Signed(difference.Low)} to {Signed(difference.High)})";

    // Rounded first, so that no zero has a minus.
    private static string Signed(double share) => F(Math.Round(100 * share, 1) + 0.0, "+0.0;-0.0;0.0");

    private static string F(double value, string format) => Markdown.Text(value, format);
}
