// D width, m = D / 64
using System.Globalization;
using System.Text.Json.Nodes;
using Skiff.Models;
using Skiff.Tensors;
using Skiff.Training;

namespace Skiff.Tests.Training;

/// <summary>
/// The coordinate check (Yang et al., arXiv 2203.03466, appendix D.1): how large activations are after a few steps, over widths. With
/// the maximal update parametrization they keep their size; with the standard one they grow.
/// </summary>
public sealed class CoordinateCheckTests(ITestOutputHelper output)
{
    private const int Vocabulary = 64, Batch = 4, Time = 16, Steps = 4;

    private static readonly int[] s_widths = [64, 128, 256, 512];

    private static readonly RecipeParametrization s_mup = new() { Form = ParametrizationForm.Mup, InitStd = 0.1, BaseWidth = 64, EmbedAsHidden = false };

    // Logits begin at 1 / sqrt(m), as they should: it is what training does to them that must not depend on the width.
    [Theory]
    [InlineData("llama", false)]
    [InlineData("gpt2", false)]
    [InlineData("qwen3", false)]
    [InlineData("llama", true)]
    [InlineData("gpt2", true)]
    public void MaximalUpdatesAreAsLargeAtAnyWidth(string family, bool muon)
    {
        IReadOnlyList<Sizes[]> runs = Run(family, s_mup, muon);
        for (int step = 1; step <= Steps; step++)
        {
            Assert.InRange(Spread(runs, sizes => sizes.Hidden, step), 1, 1.3);
            Assert.InRange(Spread(runs, sizes => sizes.Logits, step), 1, 2.3);
        }

        Assert.InRange(Spread(runs, sizes => sizes.Change, Steps), 1, 2);
    }

    // With the embedding among the matrices, what it gives and what the tied head learns shrink with the width; nothing grows.
    [Theory]
    [InlineData("llama")]
    [InlineData("gpt2")]
    [InlineData("qwen3")]
    public void MiniCpmsFormLetsNothingGrow(string family)
    {
        IReadOnlyList<Sizes[]> runs = Run(family, s_mup with { EmbedAsHidden = true }, muon: false);
        for (int step = 0; step <= Steps; step++)
        {
            Assert.InRange(runs[^1][step].Hidden / runs[0][step].Hidden, 0.5, 1);
            Assert.InRange(runs[^1][step].Logits / runs[0][step].Logits, 1 / 8.0, 1);
        }
    }

    [Theory]
    [InlineData("llama")]
    [InlineData("gpt2")]
    [InlineData("qwen3")]
    public void StandardUpdatesGrowWithTheWidth(string family)
    {
        IReadOnlyList<Sizes[]> runs = Run(family, new RecipeParametrization(), muon: false);
        for (int i = 1; i < runs.Count; i++)
            Assert.True(runs[i][Steps].Hidden > 1.5 * runs[i - 1][Steps].Hidden, $"width {s_widths[i]}: {runs[i][Steps].Hidden:g3} after {runs[i - 1][Steps].Hidden:g3}");
        Assert.True(runs[^1][Steps].Hidden > 20 * runs[0][Steps].Hidden, $"{runs[^1][Steps].Hidden:g3} after {runs[0][Steps].Hidden:g3}");
        Assert.True(runs[^1][Steps].Change > 2 * runs[0][Steps].Change, $"{runs[^1][Steps].Change:g3} after {runs[0][Steps].Change:g3}");
    }

    private static double Spread(IReadOnlyList<Sizes[]> runs, Func<Sizes, double> of, int step) => runs.Max(run => of(run[step])) / runs.Min(run => of(run[step]));

    private IReadOnlyList<Sizes[]> Run(string family, RecipeParametrization options, bool muon) => [.. s_widths.Select(width =>
    {
        Sizes[] sizes = Run(family, width, options, muon);
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{family}, width {width}: {string.Join("; ", sizes.Select(s => $"{s.Hidden:0.000} {s.Logits:0.000} {s.Change:0.000}"))}"));
        return sizes;
    })];

    // After 0 to 4 steps.
    private static Sizes[] Run(string family, int width, RecipeParametrization options, bool muon)
    {
        ModelConfig config = Parametrization.Configure(Config(family, width), options, "test");
        Parametrization parametrization = new(options, config);
        TrainingParameters parameters = new(ParameterList.Of(config), _ => true);
        parametrization.Initialize(parameters, 1);
        using DecoderTape tape = new(config, parameters, new DecoderTapeOptions { Batch = Batch, Time = Time });
        Optimizer optimizer = new(parameters, Rate, new AdamWSettings(), new MuonSettings(), muonRate: 2);
        TrainingStep step = new(parameters, optimizer, clip: 0);
        Random random = new(5);
        int[] tokens = [.. Enumerable.Range(0, Batch * Time).Select(_ => random.Next(Vocabulary))], targets = [.. tokens.Skip(1), tokens[0]];
        List<Sizes> sizes = [];
        float[]? first = null;
        for (int done = 0; ; done++)
        {
            float[] logits = Output(config, parameters, tokens[..Time]), hidden = Output(LastHidden(config), parameters, tokens[..Time]);
            first ??= logits;
            sizes.Add(new(MeanSize(hidden), MeanSize(logits), MeanSize(logits.Zip(first, (now, then) => now - then))));
            if (done == Steps)
                return [.. sizes];
            step.Run(tape, tokens, targets, new int[tokens.Length], 0.01, done + 1);
        }

        ParameterRate Rate(Parameter p)
        {
            bool own = muon && p.Layer >= 0 && p.IsMatrix;
            return new(parametrization.RateScale(p, own), 0, own);
        }
    }

    private static double MeanSize(IEnumerable<float> values) => values.Average(v => (double)Math.Abs(v));

    // The residual stream behind the last block is what a decoder without a final norm and with the identity as its head gives.
    private static ModelConfig LastHidden(ModelConfig config) =>
        config with { VocabSize = config.HiddenSize, FinalNorm = false, LogitScale = 1, TieWordEmbeddings = false };

    private static float[] Output(ModelConfig config, TrainingParameters parameters, int[] tokens)
    {
        Decoder decoder = new(config, name => name == "head.weight" ? Identity(config.HiddenSize) : parameters[name].Value);
        float[] y = new float[tokens.Length * config.VocabSize];
        decoder.Forward(decoder.CreateState(tokens.Length), tokens, y);
        return y;
    }

    private static Tensor Identity(int width)
    {
        Tensor identity = Tensor.Allocate(TensorType.F32, width, width);
        for (int i = 0; i < width; i++)
            identity.Floats()[i * width + i] = 1;
        return identity;
    }

    private static ModelConfig Config(string family, int width)
    {
        string shape = family == "gpt2"
            ? $$""" "n_embd": {{width}}, "n_layer": 2, "n_head": {{width / 32}}, "n_positions": {{Time}}"""
            : $$""" "hidden_size": {{width}}, "num_hidden_layers": 2, "num_attention_heads": {{width / 32}}, "num_key_value_heads": {{width / 32}}, "head_dim": 32, "intermediate_size": {{2 * width}}, "tie_word_embeddings": true""";
        return ModelConfig.Parse(JsonNode.Parse($$"""{"model_type": "{{family}}", "vocab_size": {{Vocabulary}},{{shape}}}""")!.AsObject(), "config.json");
    }

    /// <param name="Hidden">Mean size of the residual stream behind the last block.</param>
    /// <param name="Logits">Mean size of the logits.</param>
    /// <param name="Change">Mean size of what training has done to them.</param>
    private readonly record struct Sizes(double Hidden, double Logits, double Change);
}
