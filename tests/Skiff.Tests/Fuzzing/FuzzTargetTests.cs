using Skiff.Fuzz;
using Skiff.Tensors;

namespace Skiff.Tests.Fuzzing;

public sealed class FuzzTargetTests
{
    public static TheoryData<string> Names => [.. FuzzTargets.All.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void EveryTargetAnswersNoise(string name)
    {
        Random random = new(1);
        for (int n = 0; n < 2000; n++)
        {
            byte[] input = new byte[random.Next(64)];
            random.NextBytes(input);
            try
            {
                FuzzTargets.All[name](input);
            }
            catch (InvalidInputException)
            {
            }
        }
    }
}
