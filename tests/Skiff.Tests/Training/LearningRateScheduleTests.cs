using Skiff.Tensors;
using Skiff.Training;

namespace Skiff.Tests.Training;

public sealed class LearningRateScheduleTests
{
    private static double At(LearningRateOptions options, long step) => new LearningRateSchedule(options).Multiplier(step);

    // MiniCPM: f(T) = 1, f(T + 5000) = 1/2, a tenth after 3.32 half-lives.
    [Fact]
    public void MiniCpmHalvesEvery5000Steps()
    {
        LearningRateOptions options = new() { WarmupSteps = 2000, TotalSteps = 300_000, DecaySteps = 27_000, Decay = DecayForm.Exponential };
        Assert.Equal(0, At(options, 0));
        Assert.Equal(0.5, At(options, 1000));
        Assert.Equal(1, At(options, 2000));
        Assert.Equal(1, At(options, 273_000));
        Assert.Equal(0.5, At(options, 278_000), 12);
        Assert.Equal(0.25, At(options, 283_000), 12);
        Assert.Equal(0.1, At(options, 273_000 + 16_610), 4);
        Assert.Equal(Math.Pow(0.5, 5.4), At(options, 300_000), 12);
        Assert.Equal(At(options, 300_000), At(options, 1_000_000));
    }

    // SmolLM2: 2,000 of warm-up, stable to 1.6M, a line to 0 at 2M. SmolLM 360M: 500k + 100k of 1 - sqrt.
    [Fact]
    public void SmolLmShapes()
    {
        LearningRateOptions line = new() { WarmupSteps = 2000, TotalSteps = 2_000_000, DecaySteps = 400_000, Decay = DecayForm.Linear };
        Assert.Equal([0.25, 1, 1, 0.75, 0], new long[] { 500, 2000, 1_600_000, 1_700_000, 2_000_000 }.Select(step => At(line, step)));
        LearningRateOptions root = new() { TotalSteps = 600_000, DecaySteps = 100_000 };
        Assert.Equal([1, 1, 0.5, 0], new long[] { 0, 500_000, 525_000, 600_000 }.Select(step => At(root, step)));
    }

    // transformers' get_cosine_schedule_with_warmup and get_linear_schedule_with_warmup.
    [Theory]
    [InlineData(0)]
    [InlineData(0.1)]
    public void CosineAndLineFollowTheirFormulas(double floor)
    {
        LearningRateOptions cosine = new() { Form = ScheduleForm.Cosine, WarmupSteps = 100, TotalSteps = 1000, Floor = floor };
        LearningRateOptions line = cosine with { Form = ScheduleForm.Linear };
        for (long step = 100; step <= 1000; step++)
        {
            double progress = (step - 100) / 900.0;
            Assert.Equal(floor + ((1 - floor) * 0.5 * (1 + Math.Cos(Math.PI * progress))), At(cosine, step), 12);
            Assert.Equal(floor + ((1 - floor) * (1000 - step) / 900.0), At(line, step), 12);
        }

        Assert.Equal(floor, At(cosine, 1000), 12);
        Assert.Equal(floor, At(cosine, 5000), 12);
        Assert.Equal(0.5, At(cosine, 50));
    }

    [Fact]
    public void TheCosineDecayIsHalfAtItsMiddle()
    {
        LearningRateOptions options = new() { TotalSteps = 1000, DecaySteps = 100, Decay = DecayForm.Cosine, Floor = 0.2 };
        Assert.Equal([1, 0.6, 0.2], new long[] { 900, 950, 1000 }.Select(step => Math.Round(At(options, step), 12)));
    }

    [Fact]
    public void ConstantStays()
    {
        LearningRateOptions options = new() { Form = ScheduleForm.Constant, WarmupSteps = 10 };
        Assert.Equal([0, 0.9, 1, 1], new long[] { 0, 9, 10, long.MaxValue }.Select(step => At(options, step)));
    }

    [Fact]
    public void EveryFormNeverRisesBehindTheWarmUpAndStaysWithinItsBounds()
    {
        foreach (ScheduleForm form in Enum.GetValues<ScheduleForm>())
        {
            foreach (DecayForm decay in Enum.GetValues<DecayForm>())
            {
                bool constant = form == ScheduleForm.Constant;
                LearningRateOptions options = new() { Form = form, Decay = decay, WarmupSteps = 7, TotalSteps = 97, DecaySteps = form == ScheduleForm.Wsd ? 31 : 0, HalfLife = 11, Floor = constant ? 0 : 0.05 };
                double before = 1;
                for (long step = 7; step < 120; step++)
                {
                    double now = At(options, step);
                    Assert.InRange(now, constant ? 1 : 0.05, before);
                    before = now;
                }
            }
        }
    }

    [Fact]
    public void ABranchDecaysWhereTheRunWouldHaveStayed()
    {
        LearningRateOptions run = new() { WarmupSteps = 10, TotalSteps = 1000, DecaySteps = 100, Decay = DecayForm.Linear };
        LearningRateOptions branch = run.DecayAt(400);
        for (long step = 0; step <= 400; step++)
            Assert.Equal(At(run, step), At(branch, step));
        Assert.Equal([0.5, 0], new long[] { 450, 500 }.Select(step => At(branch, step)));
        Assert.Equal("decay at", Assert.Throws<InvalidInputException>(() => run.DecayAt(950)).Field);
        Assert.Equal("decay at", Assert.Throws<InvalidInputException>(() => run.DecayAt(5)).Field);
        Assert.Equal("form", Assert.Throws<InvalidInputException>(() => (run with { Form = ScheduleForm.Cosine }).DecayAt(400)).Field);
    }

    [Fact]
    public void WhatCannotBeIsRefusedByName()
    {
        LearningRateOptions good = new() { WarmupSteps = 10, TotalSteps = 100, DecaySteps = 10 };
        (LearningRateOptions, string)[] cases =
        [
            (good with { WarmupSteps = -1 }, "warmup steps"), (good with { WarmupSteps = 101 }, "warmup steps"), (good with { TotalSteps = 0 }, "total steps"),
            (good with { DecaySteps = 91 }, "decay steps"), (good with { DecaySteps = -1 }, "decay steps"), (good with { Floor = double.NaN }, "floor"),
            (good with { Floor = 1.5 }, "floor"), (good with { Decay = DecayForm.Exponential, HalfLife = 0 }, "half-life"), (good with { Form = (ScheduleForm)9 }, "form"),
            (good with { Decay = (DecayForm)9 }, "decay"), (good with { Form = ScheduleForm.Cosine }, "decay steps"),
            (good with { Form = ScheduleForm.Constant, DecaySteps = 0, Floor = 0.1 }, "floor"),
        ];
        foreach ((LearningRateOptions options, string field) in cases)
            Assert.Equal(field, Assert.Throws<InvalidInputException>(() => new LearningRateSchedule(options)).Field);
    }
}
