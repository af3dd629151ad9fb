using System.Text;
using System.Text.Json.Nodes;

namespace Skiff.Evaluation;

/// <summary>The tables of one kind of text.</summary>
internal sealed class CompressionTables(CompressionTier tier, IReadOnlyDictionary<string, JsonObject> figures, StringBuilder page)
{
    private static readonly string[] s_pruned = ["half-kl-quarter", "half-kl-half", "half-kl", "half-kl-4"];

    private readonly int[] _seeds = [.. Enumerable.Range(1, tier.Seeds).Where(seed => figures.ContainsKey($"{tier.Name}-teacher-{seed}"))];

    private readonly CompressionArm[] _arms = [.. CompressionArm.All.Where(arm => figures.ContainsKey($"{tier.Name}-{arm.Name}-1"))];

    public void Write()
    {
        Markdown.Title(page, $"{tier.What}");
        string[] head = ["student", "parameters without embeddings", "tokens", "10^12 operations", "learning rate", "loss, nats", "bits/byte", "KL to the teacher", "same likeliest token", .. tier.Probes];
        List<string[]> rows = [head, Row("teacher", "the teacher")];
        if (Has("corrected"))
            rows.Add(Row("corrected", "the teacher, corrected, on new texts"));
        rows.AddRange(_arms.Select(arm => Row(arm.Name, arm.What)));
        Markdown.Table(page, rows);
        Untaught();
        Comparisons();
        Factors();
        Markdown.Title(page, $"{tier.Name}: speed of generation, times the teacher's, alone and as the teacher's guesser");
        Markdown.Table(page, [["student", "alone", "guesses right", "the teacher with its guesses", "greedy texts that stay the same"], .. figures[$"{tier.Name}-guesses"].Select(pair => (string[])
        [
            pair.Key, Markdown.Text((double)figures[$"{tier.Name}-speed"][pair.Key]!, "0.00"), Markdown.Text((double)pair.Value!["right"]!, "0.0%"), Markdown.Text((double)pair.Value["speed"]!, "0.00"),
            $"{pair.Value["same"]} of {pair.Value["texts"]}",
        ])]);
    }

    private void Untaught()
    {
        Markdown.Title(page, $"{tier.Name}: loss of the half before it is taught, by how its parts are chosen");
        JsonObject first = figures[$"{tier.Name}-untaught-1"];
        Markdown.Table(page, [["chosen by", .. _seeds.Select(seed => $"seed {seed}"), "mean"], .. first.OrderBy(way => _seeds.Average(seed => Loss(way.Key, seed))).Select(way => (string[])
            [way.Key, .. _seeds.Select(seed => Markdown.Text(Loss(way.Key, seed), "0.000")), Markdown.Text(_seeds.Average(seed => Loss(way.Key, seed)), "0.000")])]);

        double Loss(string way, int seed) => (double)figures[$"{tier.Name}-untaught-{seed}"][way]!;
    }

    // Worlds differ more than students do: the difference is taken within each.
    private void Comparisons()
    {
        Markdown.Title(page, $"{tier.Name}: one student's loss less another's, seed by seed");
        Markdown.Table(page, [["first", "second", .. _seeds.Select(seed => $"seed {seed}"), "mean"], .. CompressionClaim.All
            .Where(claim => Has(claim.First) && Has(claim.Second))
            .Select(claim => (string[])
            [
                WhatOf(claim.First), WhatOf(claim.Second), .. _seeds.Select(seed => Markdown.Text(Difference(claim, seed), "+0.0000;-0.0000")),
                Markdown.Text(_seeds.Average(seed => Difference(claim, seed)), "+0.0000;-0.0000"),
            ])]);
    }

    // How many times the tokens training from scratch needs for a pruned student's loss, between its own budgets in the logarithm.
    private void Factors()
    {
        Markdown.Title(page, $"{tier.Name}: tokens from scratch for the loss of the pruned student, times its own");
        string[] scratch = [.. _arms.Where(arm => arm.Name.StartsWith("half-scratch-", StringComparison.Ordinal) && arm.Distill is null).OrderBy(arm => arm.Budget).Select(arm => arm.Name)];
        Markdown.Table(page, [["student", .. _seeds.Select(seed => $"seed {seed}")], .. s_pruned.Where(Has).Select(name => (string[])
            [WhatOf(name), .. _seeds.Select(seed => Factor(scratch, name, seed))])]);
    }

    private string Factor(string[] scratch, string student, int seed)
    {
        double wanted = Of(student, "loss", seed), own = Tokens(student);
        for (int i = 0; i < scratch.Length; i++)
        {
            double loss = Of(scratch[i], "loss", seed);
            if (loss > wanted)
                continue;
            if (i == 0)
                return "less than " + Markdown.Text(Tokens(scratch[0]) / own, "0.0");
            double before = Of(scratch[i - 1], "loss", seed), share = (before - wanted) / (before - loss);
            return Markdown.Text(Tokens(scratch[i - 1]) * Math.Pow(Tokens(scratch[i]) / Tokens(scratch[i - 1]), share) / own, "0.0");
        }

        return "more than " + Markdown.Text(Tokens(scratch[^1]) / own, "0.0");
    }

    private double Tokens(string name) => (double)figures[$"{tier.Name}-{name}-1"]["tokens"]!;

    private double Difference(CompressionClaim claim, int seed) => Of(claim.First, "loss", seed) - Of(claim.Second, "loss", seed);

    private double Of(string name, string figure, int seed) => (double)figures[$"{tier.Name}-{name}-{seed}-figures"][figure]!;

    private bool Has(string name) => figures.ContainsKey($"{tier.Name}-{name}-1-figures");

    private string WhatOf(string name) => _arms.FirstOrDefault(arm => arm.Name == name) is { } arm ? (arm.What.StartsWith("the same", StringComparison.Ordinal) ? $"{name}: {arm.What}" : arm.What) : "the teacher";

    private string[] Row(string name, string what)
    {
        JsonObject run = figures[$"{tier.Name}-{name}-1"];
        return
        [
            what, $"{(long)run["non_embedding"]!:N0}", $"{(long)run["tokens"]!:N0}", Markdown.Text((double)run["operations"]! / 1e12, "0.00"), run["rate"] is { } rate ? Markdown.Text((double)rate, "0.0000") : "",
            Mean(name, "loss", "0.0000"), Mean(name, "bits_per_byte", "0.0000"), Mean(name, "kl", "0.0000"), Mean(name, "same_top", "0.0%"), .. tier.Probes.Select(probe => Mean(name, probe, "0.0%")),
        ];
    }

    private string Mean(string name, string figure, string format)
    {
        double[] each = [.. _seeds.Select(seed => Of(name, figure, seed))];
        double mean = each.Average(), deviation = each.Length > 1 ? Math.Sqrt(each.Sum(value => (value - mean) * (value - mean)) / (each.Length - 1)) : 0;
        return Markdown.Text(mean, format) + (each.Length > 1 ? $" ± {Markdown.Text(deviation, format)}" : "");
    }
}

/// <summary>A published claim: the first loses less than the second.</summary>
internal sealed record CompressionClaim(string First, string Second)
{
    public static IReadOnlyList<CompressionClaim> All { get; } =
    [
        new("half-kl", "half-ce"), new("half-kl", "half-ce-compute"), new("half-kl-4", "half-ce-4"), new("half-kl", "half-random-kl"), new("half-kl", "half-scratch-1"), new("half-kl", "half-scratch-16"),
        new("half-kl", "depth-kl"), new("half-kl-4", "depth-kl-4"), new("depth-kl", "depth-ce"), new("depth-kl", "depth-scratch-1"),
        new("half-kl", "half-reverse"), new("half-kl", "half-js"), new("half-kl", "half-mse"), new("half-kl", "half-cosine"), new("half-kl", "half-both"), new("half-kl", "half-warm"), new("half-kl", "half-cool"),
        new("half-kl", "half-top-8"), new("half-kl", "half-top-64"),
        new("half-states", "half-kl"), new("depth-states", "depth-kl"), new("depth-states-last", "depth-kl"), new("depth-states", "depth-states-last"),
        new("quarter-via-half", "quarter-kl-2"), new("quarter-kl", "quarter-ce"), new("quarter-kl", "quarter-ce-compute"), new("quarter-kl", "quarter-scratch-1"),
        new("tenth-kl", "tenth-ce"), new("tenth-kl", "tenth-ce-compute"),
        new("shifted-kl-corrected", "shifted-kl"), new("shifted-kl-parallel", "shifted-kl"), new("shifted-kl-along", "shifted-kl"), new("shifted-kl-corrected", "shifted-ce"),
    ];
}
