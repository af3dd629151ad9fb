namespace Skiff.Models;

/// <summary>Reads <c>rope_theta</c>, <c>rope_scaling</c> and the newer <c>rope_parameters</c>.</summary>
internal static class RopeKeys
{
    /// <summary>Far wider than any head: tables of angles are made from it before a weight is looked for.</summary>
    private const int LargestHead = 1 << 16;

    private const string Global = "full_attention", Local = "sliding_attention";

    public static RopeConfig Read(ConfigReader r, int headDim, int maxPositions, FamilyDefaults defaults)
    {
        r.Skip("original_max_position_embeddings");
        ConfigReader? parameters = Parameters(r, defaults.RopeByLayerType ? Global : null);
        if (parameters is not null && r.Has("rope_scaling"))
            throw r.Refuse("rope_scaling", "stands beside rope_parameters, which says the same in a newer form; remove one");
        double theta = r.Positive("rope_theta", defaults.Theta), share = r.Positive("partial_rotary_factor", defaults.RotaryShare);
        return Read(r, parameters ?? r.Object("rope_scaling"), headDim, maxPositions, theta, share);
    }

    /// <summary>The rotation of blocks that slide where they have their own (Gemma 3).</summary>
    public static RopeConfig ReadLocal(ConfigReader r, int headDim, int maxPositions)
    {
        double theta = r.Positive("rope_local_base_freq", 10000);
        ConfigReader? parameters = r.Object("rope_parameters") is { } all && all.Has(Local) ? Parameters(r, Local) : null;
        return Read(r, parameters, headDim, maxPositions, theta, 1);
    }

    // Files with several kinds of blocks hold one set of parameters for each.
    private static ConfigReader? Parameters(ConfigReader r, string? layerType)
    {
        ConfigReader? all = r.Object("rope_parameters");
        if (layerType is null || all?.Object(layerType) is not { } parameters)
            return all;
        all.Skip(Global, Local);
        all.RefuseUnreadKeys();
        return parameters;
    }

    private static RopeConfig Read(ConfigReader r, ConfigReader? scaling, int headDim, int maxPositions, double theta, double share)
    {
        theta = scaling?.Positive("rope_theta", theta) ?? theta;
        share = scaling?.Positive("partial_rotary_factor", share) ?? share;
        if (headDim > LargestHead)
            throw r.Refuse("head_dim", $"{headDim} is above {LargestHead}");
        int rotary = (int)(headDim * Math.Min(share, 2));
        if (rotary < 2 || rotary > headDim || rotary % 2 != 0)
            throw r.Refuse(r.Has("partial_rotary_factor") ? "partial_rotary_factor" : "head_dim", $"{rotary} of {headDim} values would be rotated; the number must be even and at most the head");
        RopeConfig rope = new() { RotaryDim = rotary, Theta = theta, OriginalMaxPositionEmbeddings = maxPositions };
        if (scaling is not null)
        {
            rope = Scale(r, scaling, rope, maxPositions);
            scaling.RefuseUnreadKeys();
        }

        return Usable(rope, 0) && Usable(rope, maxPositions) ? rope : throw r.Refuse("rope_theta", $"{theta} with this scaling makes no usable angles");
    }

    private static RopeConfig Scale(ConfigReader r, ConfigReader scaling, RopeConfig rope, int maxPositions)
    {
        string type = scaling.String("rope_type", scaling.String("type", "default"));
        scaling.Skip("type", "finetuned");
        if (type == "default")
        {
            scaling.Skip("factor", "original_max_position_embeddings", "attention_factor");
            return rope;
        }

        // Phi-3 keeps the original length beside rope_scaling, the others inside it.
        bool beside = r.Has("original_max_position_embeddings");
        int original = r.Size("original_max_position_embeddings", scaling.Size("original_max_position_embeddings", maxPositions));
        double stretch = (double)maxPositions / original;
        rope = rope with { OriginalMaxPositionEmbeddings = original, AttentionFactor = scaling.PositiveOrNone("attention_factor") };
        switch (type)
        {
            case "linear":
                return rope with { Scaling = RopeScaling.Linear, Factor = scaling.Positive("factor") };
            case "dynamic":
                return rope with { Scaling = RopeScaling.Dynamic, Factor = scaling.Positive("factor") };
            case "llama3":
                rope = rope with
                {
                    Scaling = RopeScaling.Llama3,
                    Factor = scaling.Positive("factor"),
                    OriginalMaxPositionEmbeddings = scaling.Size("original_max_position_embeddings"),
                    LowFreqFactor = scaling.Positive("low_freq_factor"),
                    HighFreqFactor = scaling.Positive("high_freq_factor"),
                };
                return rope.HighFreqFactor > rope.LowFreqFactor ? rope : throw scaling.Refuse("high_freq_factor", "must be above low_freq_factor");
            case "yarn":
                rope = rope with { Factor = original < maxPositions ? scaling.Positive("factor", stretch) : scaling.Positive("factor") };
                return rope with
                {
                    Scaling = RopeScaling.Yarn,
                    BetaFast = scaling.Positive("beta_fast", 32),
                    BetaSlow = scaling.Positive("beta_slow", 1),
                    Truncate = scaling.Bool("truncate", true),
                    AttentionFactor = YarnFactor(scaling, rope),
                };
            case "longrope" or "su":
                int pairs = rope.RotaryDim / 2;
                double stated = scaling.Positive("factor", stretch);
                return rope with
                {
                    Scaling = RopeScaling.LongRope,
                    Factor = beside ? stretch : stated,
                    ShortFactor = Factors(scaling, "short_factor", pairs),
                    LongFactor = Factors(scaling, "long_factor", pairs),
                };
            default:
                throw scaling.Refuse("rope_type", $"'{type}' is not known; default, linear, dynamic, llama3, yarn and longrope are");
        }
    }

    // Some numbers pass one by one and still divide by zero together: a base of 1, an original context of 1.
    private static bool Usable(RopeConfig rope, int length)
    {
        (double[] frequencies, double scale) = rope.Frequencies(length);
        return frequencies.Append(scale).All(f => double.IsFinite(f) && f > 0);
    }

    private static double YarnFactor(ConfigReader scaling, RopeConfig rope)
    {
        double mscale = scaling.PositiveOrNone("mscale"), all = scaling.PositiveOrNone("mscale_all_dim");
        if (rope.AttentionFactor != 0 || mscale == 0 || all == 0)
            return rope.AttentionFactor;
        return Of(mscale) / Of(all);

        double Of(double m) => rope.Factor <= 1 ? 1 : 0.1 * m * Math.Log(rope.Factor) + 1;
    }

    private static IReadOnlyList<double> Factors(ConfigReader scaling, string key, int pairs)
    {
        IReadOnlyList<double> factors = scaling.Numbers(key) ?? throw scaling.Refuse(key, "is missing");
        if (factors.Count != pairs)
            throw scaling.Refuse(key, $"{factors.Count} factors for {pairs} frequencies");
        return factors.All(f => f > 0) ? factors : throw scaling.Refuse(key, "factors must be above 0");
    }
}
