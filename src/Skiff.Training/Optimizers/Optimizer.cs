using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Training;

/// <summary>
/// Trains parameters by AdamW, matrices by Muon where wanted, each with a rate and decay of its own. Its state is two moments a
/// value for AdamW and one for Muon, and the number of steps.
/// </summary>
internal sealed class Optimizer
{
    private readonly ThreadTeam _team;
        private readonly double _muonRate;
    private readonly List<Entry> _entries = [];
    private readonly Tensor _moments, _scratch;

    /// <summary>An optimizer before its first step.</summary>
    /// <param name="parameters">What is trained.</param>
    /// <param name="rate">How each is trained.</param>
    /// <param name="adamW">Settings of AdamW; the weight decay comes from <paramref name="rate"/>.</param>
    /// <param name="muon">Settings of Muon.</param>
    /// <param name="muonRate">Muon's learning rate where AdamW's is 1.</param>
    /// <param name="team">Threads; the process's own when null.</param>
    public Optimizer(
        TrainingParameters parameters, Func<Parameter, ParameterRate> rate, AdamWSettings adamW, MuonSettings muon, double muonRate = 1, ThreadTeam? team = null)
    {
        (_muonRate, _team) = (muonRate, team ?? ThreadTeam.Default);
        List<(TrainingParameter Parameter, ParameterRate Rate)> trained = [.. parameters.All.Where(p => p.Gradient is not null).Select(p => (p, rate(p.Parameter)))];
        _moments = Tensor.Allocate(TensorType.F32, MomentCount(trained));
        _scratch = Tensor.Allocate(TensorType.F32, ScratchCount(trained));
        long at = 0;
        foreach ((TrainingParameter parameter, ParameterRate own) in trained)
        {
            long count = parameter.Parameter.Count;
            Tensor first = _moments.Slice(at, count).Reshape(parameter.Parameter.Shape), second = _moments.Slice(at + (own.Muon ? 0 : Up(count)), own.Muon ? 0 : count);
            _entries.Add(new Entry(parameter, own, first, second, adamW with { WeightDecay = own.WeightDecay }, muon with { WeightDecay = own.WeightDecay }));
            at += own.Muon ? Up(count) : 2 * Up(count);
        }
    }

    /// <summary>Bytes of moments and scratch memory that such an optimizer takes.</summary>
    public static long BytesOf(TrainingParameters parameters, Func<Parameter, ParameterRate> rate)
    {
        List<(TrainingParameter Parameter, ParameterRate Rate)> trained = [.. parameters.All.Where(p => p.Gradient is not null).Select(p => (p, rate(p.Parameter)))];
        return sizeof(float) * (MomentCount(trained) + ScratchCount(trained));
    }

    /// <summary>What a checkpoint keeps: <c>exp_avg.NAME</c>, and <c>exp_avg_sq.NAME</c> for AdamW.</summary>
    public IEnumerable<(string Name, Tensor Tensor)> State => _entries.SelectMany(entry => entry.Rate.Muon
        ? new[] { ($"momentum.{entry.Parameter.Parameter.Name}", entry.First) }
        : [($"exp_avg.{entry.Parameter.Parameter.Name}", entry.First), ($"exp_avg_sq.{entry.Parameter.Parameter.Name}", entry.Second)]);

    /// <summary>One step.</summary>
    /// <param name="learningRate">The rate that a scale of 1 stands for.</param>
    /// <param name="step">From 1: AdamW's bias correction.</param>
    /// <param name="gradientScale">Factor on all gradients, from clipping.</param>
    public void Step(double learningRate, long step, float gradientScale)
    {
        foreach (Entry entry in _entries)
        {
            double rate = learningRate * entry.Rate.RateScale;
            Tensor value = entry.Parameter.Value, gradient = entry.Parameter.Gradient!;
            if (entry.Rate.Muon)
                MuonStep.Apply(MatrixView.Of(value), MatrixView.Of(gradient), MatrixView.Of(entry.First), entry.Muon, rate * _muonRate, _scratch.Floats(), gradientScale, _team);
            else
                AdamWStep.Apply(value.Floats(), gradient.Floats(), entry.First.Floats(), entry.Second.Floats(), entry.AdamW, rate, step, gradientScale, _team);
        }
    }

    private static long MomentCount(IEnumerable<(TrainingParameter Parameter, ParameterRate Rate)> trained) =>
        trained.Sum(t => (t.Rate.Muon ? 1 : 2) * Up(t.Parameter.Parameter.Count));

    private static long ScratchCount(IEnumerable<(TrainingParameter Parameter, ParameterRate Rate)> trained) => trained.Where(t => t.Rate.Muon)
        .Select(t => MuonStep.ScratchLength((int)t.Parameter.Parameter.Rows, t.Parameter.Parameter.Columns)).DefaultIfEmpty().Max();

    private static long Up(long count) => (count + 15) / 16 * 16;

    private sealed record Entry(TrainingParameter Parameter, ParameterRate Rate, Tensor First, Tensor Second, AdamWSettings AdamW, MuonSettings Muon);
}
