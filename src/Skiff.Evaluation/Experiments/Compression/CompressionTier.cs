using System.Text.Json.Nodes;
using Skiff.Compression;
using Skiff.Inference;
using Skiff.Models;

namespace Skiff.Evaluation;

/// <summary>Texts that teachers and students of the compression experiment learn, and what they are asked of them.</summary>
internal abstract class CompressionTier
{
    /// <summary>Tokens in a row of training; samples are cut to it.</summary>
    public const int Context = 128;

    /// <summary>Seconds of a step of the smaller models.</summary>
    public const double UsualStep = 0.06;

    /// <summary>All of them; the last is for larger models.</summary>
    public static IReadOnlyList<CompressionTier> All { get; } = [new WorldTier(), new TextTier(), new LargeTier()];

    /// <summary>Those of a size.</summary>
    public static IEnumerable<CompressionTier> Of(ExperimentSize size) => All.Where(tier => tier is not LargeTier || size == ExperimentSize.Large);

    /// <summary>Its folder, and the beginning of its steps' names.</summary>
    public abstract string Name { get; }

    /// <summary>What the page says of it.</summary>
    public abstract string What { get; }

    /// <summary>How many teachers there are, each by a seed of its own.</summary>
    public virtual int Seeds => 3;

    /// <summary>The teacher's sizes: 1.48 million parameters without embeddings.</summary>
    public virtual string Teacher => "hidden_size: 128, intermediate_size: 352, num_hidden_layers: 8, num_attention_heads: 4, num_key_value_heads: 2";

    /// <summary>What is left of it.</summary>
    public virtual PruneShape ShapeOf(StudentSize size) => size switch
    {
        StudentSize.Half => new PruneShape { Hidden = 96, Intermediate = 192 },
        StudentSize.Shallow => new PruneShape { LayerCount = 4 },
        StudentSize.Quarter => new PruneShape { Hidden = 64, Intermediate = 128 },
        _ => new PruneShape { Hidden = 32, Intermediate = 64 },
    };

    /// <summary>The tier whose learning rates its students take.</summary>
    public virtual string RatesOf => Name;

    /// <summary>Steps of a teacher.</summary>
    public abstract int TeacherSteps { get; }

    /// <summary>Seconds of a student's step with a teacher, about, for the time that is left.</summary>
    public virtual double StepCost => UsualStep;

    /// <summary>Students that are trained on it; of a smoke run fewer, of each kind one.</summary>
    public abstract IReadOnlyList<CompressionArm> ArmsOf(ExperimentSize size);

    /// <summary>What its items ask for.</summary>
    public abstract IReadOnlyList<string> Probes { get; }

    /// <summary>Size of its vocabulary.</summary>
    protected abstract int Vocabulary { get; }

    /// <summary>Writes the texts of training, more than any run reads, and the tokenizer that all models share.</summary>
    public JsonObject Prepare(ExperimentContext context, int seeds, bool smoke)
    {
        Directory.CreateDirectory(Path.Combine(Folder(context), "corpus"));
        for (int seed = 1; seed <= seeds; seed++)
            WriteTexts(context, seed, smoke);
        BpeTrainingResult result = BpeTrainer.Train([Corpus(context, 1, shifted: false)], new BpeTrainingOptions { VocabularySize = smoke ? 512 : Vocabulary }, cancellation: context.Stop);
        if (Directory.Exists(TokenizerPath(context)))
            Directory.Delete(TokenizerPath(context), recursive: true);
        AtomicFolder.Write(TokenizerPath(context), result.Tokenizer.Save);
        return [];
    }

    /// <summary>Where a seed's texts of training lie.</summary>
    public string Corpus(ExperimentContext context, int seed, bool shifted) => Path.Combine(Folder(context), "corpus", FileOf(seed, shifted));

    /// <summary>Where the tokenizer lies.</summary>
    public string TokenizerPath(ExperimentContext context) => Path.Combine(Folder(context), "tokenizer");

    /// <summary>Where its runs lie.</summary>
    public string Folder(ExperimentContext context) => Path.Combine(Path.GetFullPath(context.Folder), "work", Name);

    /// <summary>Texts that no run reads, the same for all models of a seed, as tokens.</summary>
    /// <param name="context">Where.</param>
    /// <param name="tokenizer">The tier's.</param>
    /// <param name="seed">The models'.</param>
    /// <param name="shifted">Of the texts that the teacher does not know.</param>
    /// <param name="draw">Another draw gives other texts.</param>
    /// <param name="count">How many.</param>
    public Memory<int>[] Samples(ExperimentContext context, Tokenizer tokenizer, int seed, bool shifted, int draw, int count) =>
    [
        .. Texts(context, seed, shifted, new SplitMix64((ulong)(draw + seed)), count)
            .Select(text => tokenizer.Encode(text, addSpecial: true)).Select(ids => ids.AsMemory(0, Math.Min(ids.Length, Context))),
    ];

    /// <summary>Items of a probe, without end.</summary>
    public abstract IEnumerable<ChoiceItem> Items(ExperimentContext context, string probe, int seed, bool shifted);

    /// <summary>The name of a seed's file in the corpus.</summary>
    protected abstract string FileOf(int seed, bool shifted);

    /// <summary>Writes a seed's files.</summary>
    protected abstract void WriteTexts(ExperimentContext context, int seed, bool smoke);

    /// <summary>Texts that no run reads.</summary>
    protected abstract IEnumerable<string> Texts(ExperimentContext context, int seed, bool shifted, SplitMix64 random, int count);
}
