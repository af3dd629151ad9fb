namespace Skiff.Models;

/// <summary>Reads <c>rope_theta</c>, <c>rope_scaling</c> and the newer <c>rope_parameters</c>.</summary>
internal static class RopeKeys
{
    public static RopeConfig Read(ConfigReader r, int headDim, int maxPositions, FamilyDefaults defaults)
    {
        r.Skip("original_max_position_embeddings");
        ConfigReader? parameters = r.Object("rope_parameters");
        ConfigReader? scaling = parameters ?? r.Object("rope_scaling");
        double theta = r.Positive("rope_theta", defaults.Theta);
        double share = r.Positive("partial_rotary_factor", defaults.RotaryShare);
        if (parameters is not null)
        {
            theta = parameters.Positive("rope_theta", theta);
            share = parameters.Positive("partial_rotary_factor", share);
        }

        int rotary = (int)(headDim * share);
        if (rotary < 2 || rotary > headDim || rotary % 2 != 0)
            throw r.Refuse("head_dim", $"{rotary} of {headDim} values would be rotated; the number must be even and at most the head");
        RopeConfig rope = new() { RotaryDim = rotary, Theta = theta, OriginalMaxPositionEmbeddings = maxPositions };
        if (scaling is null)
            return rope;
        rope = Scale(r, scaling, rope, maxPositions);
        scaling.RefuseUnreadKeys();
        return rope;
    }

    public static RopeConfig Scale(ConfigReader r, ConfigReader scaling, RopeConfig rope, int maxPositions)
    {
        string type = scaling.String("rope_type", scaling.String("type", "default"));
        scaling.Skip("type", "rope_type", "rope_theta", "partial_rotary_factor", "finetuned");
        // Phi-3 keeps the original length beside rope_scaling, the others inside it.
        int original = r.Size("original_max_position_embeddings", scaling.Size("original_max_position_embeddings", maxPositions));
        rope = rope with { OriginalMaxPositionEmbeddings = original, Factor = scaling.Positive("factor", 1), AttentionFactor = scaling.Float("attention_factor", 0) };
        switch (type)
        {
            case "default":
                return rope;
            case "linear":
                return rope with { Scaling = RopeScaling.Linear };
            case "dynamic":
                return rope with { Scaling = RopeScaling.Dynamic };
            case "llama3":
                rope = rope with
                {
                    Scaling = RopeScaling.Llama3,
                    LowFreqFactor = scaling.Positive("low_freq_factor", 1),
                    HighFreqFactor = scaling.Positive("high_freq_factor", 4),
                };
                return rope.HighFreqFactor > rope.LowFreqFactor ? rope : throw scaling.Refuse("high_freq_factor", "must be above low_freq_factor");
            case "yarn":
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
                double stretch = r.Has("original_max_position_embeddings") || !scaling.Has("factor") ? (double)maxPositions / original : rope.Factor;
                return rope with
                {
                    Scaling = RopeScaling.LongRope,
                    Factor = stretch,
                    ShortFactor = Factors(scaling, "short_factor", pairs),
                    LongFactor = Factors(scaling, "long_factor", pairs),
                };
            default:
                throw scaling.Refuse("rope_type", $"'{type}' is not known; default, linear, dynamic, llama3, yarn and longrope are");
        }
    }

    private static double YarnFactor(ConfigReader scaling, RopeConfig rope)
    {
        double mscale = scaling.Float("mscale", 0), all = scaling.Float("mscale_all_dim", 0);
        if (rope.AttentionFactor != 0 || mscale == 0 || all == 0)
            return rope.AttentionFactor;
        return Of(mscale) / Of(all);

        double Of(double m) => rope.Factor <= 1 ? 1 : 0.1 * m * Math.Log(rope.Factor) + 1;
    }

    private static IReadOnlyList<double> Factors(ConfigReader scaling, string key, int pairs)
    {
        IReadOnlyList<double> factors = scaling.Floats(key) ?? throw scaling.Refuse(key, "is missing");
        if (factors.Count != pairs)
            throw scaling.Refuse(key, $"{factors.Count} factors for {pairs} frequencies");
        return factors.All(f => f > 0) ? factors : throw scaling.Refuse(key, "factors must be above 0");
    }
}
