using Skiff.Models;
using Skiff.Tensors;
using Skiff.Tests.Models;
using Skiff.Training;

namespace Skiff.Tests.Training;

public sealed class LoraTests
{
    private const int Rank = 3;

    public static TheoryData<string> Families => [.. GoldenModel.Names];

    // One of each way of attending, feeding forward, adding biases, sharing and placing norms.
    public static TheoryData<string> Kinds =>
    [
        "llama", "llama_bias", "gpt2", "phi3", "mixtral", "minicpm3", "recurrent_gemma", "gpt_neox", "bloom_postln", "openelm", "olmo", "olmo2", "gemma2",
        "mobilellm_layer_sharing", "opt_350m_style", "stablelm_parallel_qkln", "qwen_ntk_logn",
    ];

    [Theory]
    [MemberData(nameof(Families))]
    public void NewAdaptersChangeNothing(string name)
    {
        TapeModel plain = new(name, 2), adapted = new(name, 2, lora: Everything(name));
        Fill(adapted, 1, LoraSettings.Down);
        (int[], int[], int[]) batch = plain.Batch(5, twoDocuments: true);
        Assert.Equal(plain.Run(batch, gradients: false), adapted.Run(batch, gradients: false));
        Assert.Equal(plain.Run(batch, gradients: true), adapted.Run(batch, gradients: true));
    }

    [Theory]
    [MemberData(nameof(Families))]
    public void TheMergedModelIsBaseAndAdapters(string name)
    {
        LoraSettings lora = Everything(name);
        TapeModel merged = new(name, 2), adapted = new(name, 2, lora: lora);
        Fill(adapted, 2, LoraSettings.Down, LoraSettings.Up);
        (int[], int[], int[]) batch = adapted.Batch(5, twoDocuments: true);
        double before = merged.Run(batch, gradients: false), wanted = adapted.Run(batch, gradients: false);
        merged.Parameters.Load(new LoraMerge(adapted.Parameters, lora).Parameter);
        Assert.Equal(wanted, merged.Run(batch, gradients: false), 2e-5 * Math.Max(1, wanted));
        Assert.True(Math.Abs(wanted - before) > 1e-3, $"{name}: the adapters do nothing");
    }

    [Fact]
    public void OnlyAdaptersAreTrained()
    {
        TapeModel model = new("llama", 2, lora: new LoraSettings(Rank, 6, ["query", "down"]));
        string[] trained = [.. model.Parameters.All.Where(p => p.Gradient is not null).Select(p => p.Parameter.Name).Order()];
        Assert.Equal(8, trained.Length);
        Assert.Equal(["layers.0.down.lora_a", "layers.0.down.lora_b", "layers.0.query.lora_a", "layers.0.query.lora_b"], trained.Take(4));
        Assert.Equal([Rank, 32L], model.Parameters["layers.0.query.lora_a"].Value.Shape);
        Assert.Equal([32L, Rank], model.Parameters["layers.0.query.lora_b"].Value.Shape);
    }

    // Each module alone: what lies beside it, before it and behind it is frozen.
    [Theory]
    [MemberData(nameof(Kinds))]
    public void GradientsOfEachModuleAreTheSlopesOfTheLoss(string name)
    {
        foreach (string module in Modules(name))
        {
            TapeModel model = new(name, 2, lora: new LoraSettings(Rank, 2 * Rank, [module]));
            Fill(model, 3, LoraSettings.Down, LoraSettings.Up);
            CheckGradients(model, $"{name}, {module}");
        }
    }

    [Theory]
    [InlineData("llama")]
    [InlineData("mixtral")]
    [InlineData("minicpm3")]
    [InlineData("recurrent_gemma")]
    public void RecomputedBlocksAndMoreThreadsGiveTheSameBits(string name)
    {
        using ThreadTeam one = new(1), three = new(3);
        TapeModel kept = new(name, 2, recompute: false, one, lora: Everything(name)), again = new(name, 2, recompute: true, three, lora: Everything(name));
        Fill(kept, 4, LoraSettings.Down, LoraSettings.Up);
        Fill(again, 4, LoraSettings.Down, LoraSettings.Up);
        (int[], int[], int[]) batch = kept.Batch(3, twoDocuments: true);
        Assert.Equal(kept.Run(batch, gradients: true), again.Run(batch, gradients: true));
        Assert.True(kept.Parameters.Gradients.Floats().SequenceEqual(again.Parameters.Gradients.Floats()), name);
        Assert.Contains(kept.Parameters.Gradients.Floats().ToArray(), value => value != 0);
    }

    // What is not differentiated is not kept either.
    [Fact]
    public void NothingBelowTheFirstAdapterIsKept()
    {
        // Every third block attends, behind two that recur.
        long all = Bytes("recurrent_gemma", "gate"), attention = Bytes("recurrent_gemma", "query");
        Assert.True(attention < all, $"{attention} of {all} bytes");
        long first = Bytes("llama", "query"), last = Bytes("llama", "down");
        Assert.True(last < first, $"{last} of {first} bytes");

        static long Bytes(string name, string module) => new TapeModel(name, 2, lora: new LoraSettings(Rank, Rank, [module])).Tape.ByteLength;
    }

    [Fact]
    public unsafe void FrozenValuesHaveNoGradient()
    {
        float[] numbers = new float[64];
        fixed (float* at = numbers)
        {
            TapeParameter frozen = new(new MatrixView(at, 8, 8), null), trained = new(new MatrixView(at, 8, 8), new MatrixView(at, 8, 8));
            using Tape tape = new();
            TapeValue embedded = tape.Embedding(frozen, new int[4]), normed = tape.Norm(embedded, [], null, new NormSettings(true, 1e-5));
            Assert.False(embedded.NeedsGradient);
            Assert.False(normed.NeedsGradient);
            Assert.False(tape.Linear(normed, frozen).NeedsGradient);
            Assert.True(tape.Linear(normed, trained).NeedsGradient);
        }
    }

    private static LoraSettings Everything(string name) => new(Rank, 2 * Rank, Modules(name));

    private static string[] Modules(string name) =>
        [.. ParameterList.Of(GoldenModel.Read(name).Config()).Where(p => p.Layer >= 0 && p.Kind == "weight" && p.Shape.Length == 2).Select(p => p.Module).Distinct()];

    private static void Fill(TapeModel model, long seed, params string[] kinds)
    {
        foreach (TrainingParameter own in model.Parameters.All.Where(p => kinds.Contains(p.Parameter.Kind)))
            RandomModel.Fill(own.Parameter, own.Value, seed, 0.2f);
    }

    private static void CheckGradients(TapeModel model, string what)
    {
        (int[], int[], int[]) batch = model.Batch(7, twoDocuments: true);
        model.Run(batch, gradients: true);
        bool kinks = model.Config.HiddenAct is Activation.Relu or Activation.Relu2 || model.Config.ClipQkv > 0 || model.Config.NumLocalExperts > 0;
        int checkedOnes = 0;
        foreach (TrainingParameter own in model.Parameters.All.Where(p => p.Gradient is not null))
        {
            float[] gradient = own.Gradient!.Floats().ToArray(), kept = own.Value.Floats().ToArray();
            double length = Math.Sqrt(gradient.Sum(g => (double)g * g));
            if (length < 1e-5)
                continue;
            double step = (kinks ? 2e-4 : 3e-3) / Math.Max(length, 0.05);
            double slope = (8 * (At(step) - At(-step)) - (At(2 * step) - At(-2 * step))) / (12 * step);
            kept.CopyTo(own.Value.Floats());
            checkedOnes++;
            Assert.True(Math.Abs(slope - length) < 0.01 * length + (kinks ? 1e-3 : 2e-5), $"{what}, {own.Parameter.Name}: slope {slope:g5}, gradient {length:g5}");

            double At(double distance)
            {
                Span<float> values = own.Value.Floats();
                for (int i = 0; i < values.Length; i++)
                    values[i] = (float)(kept[i] + distance * gradient[i] / length);
                double loss = model.Run(batch, gradients: false);
                return loss + model.Tape.ExpertLosses.Sum(e => e.BalanceCoefficient * e.Balance + e.ZCoefficient * e.Z);
            }
        }

        Assert.True(checkedOnes > 0, $"{what}: no gradient");
    }
}
