using Skiff.Compression;
using Skiff.Models;
using Skiff.Tensors;
using Skiff.Tests.Models;

namespace Skiff.Tests.Compression;

public sealed class MergedModelTests
{
    private static readonly Model s_a = GoldenModel.Read("llama").Open();

    private static readonly Model s_b = Changed(1, 0.3f), s_base = Changed(2, 0.1f);

    [Theory]
    [InlineData(0)]
    [InlineData(0.3)]
    [InlineData(1)]
    public void EveryMethodIsItsFormula(double t)
    {
        foreach (MergeMethod method in Enum.GetValues<MergeMethod>())
        {
            Model merged = MergedModel.Of(s_a, s_b, method, t, s_base);
            foreach (string name in new[] { "embedding.weight", "layers.0.query.weight", "layers.1.attention_norm.weight" })
            {
                double[] a = Values(s_a, name), b = Values(s_b, name), start = Values(s_base, name);
                double angle = Math.Acos(a.Zip(b, (x, y) => x * y).Sum() / Math.Sqrt(a.Sum(x => x * x) * b.Sum(y => y * y)));
                double[] expected = [.. a.Select((x, i) => method switch
                {
                    MergeMethod.Linear => ((1 - t) * x) + (t * b[i]),
                    MergeMethod.Slerp => ((Math.Sin((1 - t) * angle) * x) + (Math.Sin(t * angle) * b[i])) / Math.Sin(angle),
                    _ => start[i] + (t * (x - start[i])) + (t * (b[i] - start[i])),
                })];
                Assert.All(expected.Zip(Values(merged, name)), pair => Assert.Equal(pair.First, pair.Second, 1e-6));
            }
        }
    }

    [Fact]
    public void EqualArraysStayAsTheyAre() =>
        Assert.All(Values(s_a, "layers.0.query.weight").Zip(Values(MergedModel.Of(s_a, s_a, MergeMethod.Slerp, 0.5), "layers.0.query.weight")), pair => Assert.Equal(pair.First, pair.Second, 1e-6));

    [Fact]
    public void OtherShapesAreRefused()
    {
        Assert.Contains("only models of one shape", Assert.Throws<InvalidInputException>(() => MergedModel.Of(s_a, GoldenModel.Read("gpt2").Open(), MergeMethod.Linear, 0.5)).Message);
        Assert.Contains("common base", Assert.Throws<InvalidInputException>(() => MergedModel.Of(s_a, s_b, MergeMethod.Task, 0.5)).Message);
    }

    private static Model Changed(int seed, float by)
    {
        Random random = new(seed);
        Dictionary<string, Tensor> tensors = ParameterList.Of(s_a.Config).ToDictionary(
            parameter => parameter.Name,
            parameter => Tensor.FromFloats([.. s_a.Parameter(parameter.Name).Floats().ToArray().Select(value => value + (by * (random.NextSingle() - 0.5f)))], [.. s_a.Parameter(parameter.Name).Shape]));
        return s_a.With(name => tensors[name]);
    }

    private static double[] Values(Model model, string name) => [.. model.Parameter(name).Floats().ToArray().Select(value => (double)value)];
}
