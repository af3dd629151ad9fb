using System.Text.Json;
using Skiff.Models;
using Skiff.Training;

namespace Skiff.Tests.EndToEnd;

/// <summary>The trainer's loss against the log-likelihoods that the model's published code computed.</summary>
public sealed class StoriesTapeTests
{
    private const int Rows = 8, Time = 512;

    [Theory]
    [InlineData("reference_nll.v1-train.jsonl.gz")]
    [InlineData("reference_nll.v2-gpt4.jsonl.gz")]
    public void TheTrainersLossOfEveryReferenceTextIsMet(string name)
    {
        Model model = Stories260k.Open();
        TrainingParameters parameters = new(ParameterList.Of(model.Config), _ => true);
        parameters.Load(model.Parameter);
        using DecoderTape tape = new(model.Config, parameters, new DecoderTapeOptions { Batch = Rows, Time = Time });
        tape.Loss.LogProbabilities = new float[tape.Tokens];
        int[] tokens = new int[tape.Tokens], targets = new int[tape.Tokens], starts = new int[tape.Tokens];
        int texts = 0;
        foreach (JsonElement[] some in Stories260k.Lines(name).Chunk(Rows))
        {
            Array.Clear(tokens);
            Array.Fill(targets, DataLoader.NoTarget);
            for (int row = 0; row < some.Length; row++)
            {
                int[] ids = [.. some[row].GetProperty("tokens").EnumerateArray().Select(id => id.GetInt32())];
                Assert.InRange(ids.Length, 2, Time);
                ids.CopyTo(tokens, row * Time);
                ids[1..].CopyTo(targets, row * Time);
            }

            // With gradients and without, as in training and in validation.
            tape.Load(tokens, targets, starts);
            tape.Forward(gradients: true);
            double trained = tape.Loss.Sum;
            tape.Forward(gradients: false);
            Assert.Equal(trained, tape.Loss.Sum, 1e-9 * trained);
            double sum = 0;
            for (int row = 0; row < some.Length; row++)
            {
                double nll = 0;
                for (int t = 0; t < Time; t++)
                    nll -= tape.Loss.LogProbabilities[row * Time + t];
                Assert.Equal(some[row].GetProperty("nll").GetDouble(), nll, 1e-3);
                Assert.Equal(some[row].GetProperty("predicted").GetInt32(), targets.AsSpan(row * Time, Time).ToArray().Count(target => target != DataLoader.NoTarget));
                sum += some[row].GetProperty("nll").GetDouble();
                texts++;
            }

            Assert.Equal(sum, trained, 1e-3 * some.Length);
        }

        Assert.Equal(200, texts);
    }
}
