using Skiff.Models;
using Skiff.Tensors;
using Skiff.Tests.Models;
using Skiff.Training;

namespace Skiff.Tests.Training;

/// <summary>The tiny model of a family on the tape, with batches to run.</summary>
internal sealed class TapeModel
{
    public TapeModel(string name, int batch, bool recompute = false, ThreadTeam? team = null, bool documents = true, int? time = null, LoraSettings? lora = null, AnchorConfig? anchors = null, double fullShare = 0)
    {
        Golden = GoldenModel.Read(name);
        Model = Golden.Open();
        if (anchors is not null)
            Model = new Model("anchored", Model.Config with { Anchors = anchors }, Model.Parameter, Model.TypeOf, () => null, TensorType.F32);
        Config = Model.Config;
        Time = time ?? Golden.Tokens.Length;
        Parameters = new TrainingParameters(
            ParameterList.Of(Config).Concat(lora?.Parameters(Config) ?? []), p => lora is null || p.Kind is LoraSettings.Down or LoraSettings.Up);
        Parameters.Load(Model.Parameter);
        Tape = new DecoderTape(
            Config, Parameters,
            new DecoderTapeOptions { Batch = batch, Time = Time, Recompute = recompute, DocumentMask = documents, ExpertBalance = 0.01, RouterZ = 0.001, Lora = lora, FullShare = fullShare }, team);
    }

    public GoldenModel Golden { get; }

    public Model Model { get; }

    public ModelConfig Config { get; }

    public int Time { get; }

    public TrainingParameters Parameters { get; }

    public DecoderTape Tape { get; }

    /// <summary>Random tokens and targets; each row holds two documents where asked for.</summary>
    public (int[] Tokens, int[] Targets, int[] Starts) Batch(int seed, bool twoDocuments)
    {
        Random random = new(seed);
        int[] tokens = new int[Tape.Tokens], targets = new int[Tape.Tokens], starts = new int[Tape.Tokens];
        int second = Math.Max(1, Time / 3);
        for (int n = 0; n < tokens.Length; n++)
        {
            tokens[n] = random.Next(Config.VocabSize);
            targets[n] = n % 7 == 3 ? -1 : random.Next(Config.VocabSize);
            starts[n] = twoDocuments && n % Time >= second ? second : 0;
        }

        return (tokens, targets, starts);
    }

    /// <summary>The mean loss of a batch; with gradients, they are added to the parameters'.</summary>
    public double Run((int[] Tokens, int[] Targets, int[] Starts) batch, bool gradients)
    {
        Tape.Load(batch.Tokens, batch.Targets, batch.Starts);
        int count = LinearCrossEntropy.CountTargets(batch.Targets);
        Tape.Loss.GradientScale = 1f / count;
        Tape.Forward(gradients);
        if (gradients)
            Tape.Backward();
        return Tape.Loss.Sum / count;
    }
}
