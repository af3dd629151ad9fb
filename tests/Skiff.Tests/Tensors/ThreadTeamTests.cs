using Skiff.Tensors;

namespace Skiff.Tests.Tensors;

public sealed class ThreadTeamTests
{
    [Theory]
    [InlineData(1, 0)]
    [InlineData(1, 5)]
    [InlineData(2, 1)]
    [InlineData(2, 100)]
    [InlineData(9, 3)]
    [InlineData(9, 1000)]
    public void EveryPartRunsOnceInEveryRun(int threads, int parts)
    {
        using ThreadTeam team = new(threads);
        int[] counts = new int[parts];
        Action<int> work = part => Interlocked.Increment(ref counts[part]);
        for (int run = 0; run < 300; run++)
            team.Run(parts, work);
        Assert.All(counts, count => Assert.Equal(300, count));
    }

    [Fact]
    public void WhatPartsWroteIsSeenAfterEachOfManyRuns()
    {
        using ThreadTeam team = new(3);
        int[] values = new int[16];
        int run = 0;
        Action<int> work = part => values[part] = run + part;
        for (run = 0; run < 20_000; run++)
        {
            team.Run(values.Length, work);
            for (int part = 0; part < values.Length; part++)
            {
                if (values[part] != run + part)
                    Assert.Fail($"run {run}, part {part}: {values[part]}");
            }
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(17)]
    [InlineData(63)]
    public void AnExceptionTravelsToTheCallerAndTheTeamWorksOn(int bad)
    {
        using ThreadTeam team = new(4);
        for (int run = 0; run < 200; run++)
        {
            InvalidDataException thrown = Assert.Throws<InvalidDataException>(() => team.Run(64, part =>
            {
                if (part == bad)
                    throw new InvalidDataException("part " + part);
            }));
            Assert.Equal("part " + bad, thrown.Message);
            int done = 0;
            team.Run(64, _ => Interlocked.Increment(ref done));
            Assert.Equal(64, done);
        }
    }

    [Fact]
    public void RunsInsideRunsAreDoneByTheirCaller()
    {
        using ThreadTeam team = new(4);
        int inner = 0, strangers = 0;
        team.Run(32, _ =>
        {
            int caller = Environment.CurrentManagedThreadId;
            team.Run(8, _ =>
            {
                Interlocked.Increment(ref inner);
                if (Environment.CurrentManagedThreadId != caller)
                    Interlocked.Increment(ref strangers);
            });
        });
        Assert.Equal((256, 0), (inner, strangers));
    }

    [Fact]
    public void SeveralCallersMayUseOneTeamAtOnce()
    {
        using ThreadTeam team = new(3);
        long sum = 0;
        Thread[] callers = [.. Enumerable.Range(0, 4).Select(_ => new Thread(() =>
        {
            for (int run = 0; run < 500; run++)
                team.Run(10, part => Interlocked.Add(ref sum, part));
        }))];
        foreach (Thread caller in callers)
            caller.Start();
        foreach (Thread caller in callers)
            caller.Join();
        Assert.Equal(4 * 500 * 45, sum);
    }

    [Fact]
    public void IdleThreadsParkAndWakeAgain()
    {
        using ThreadTeam team = new(3);
        for (int run = 0; run < 5; run++)
        {
            Assert.True(SpinWait.SpinUntil(() => team.Parked == 2, TimeSpan.FromSeconds(60)), $"{team.Parked} parked");
            // Both parts must be in work at once: each waits for the other.
            using Barrier both = new(2);
            team.Run(2, _ => both.SignalAndWait(TestContext.Current.CancellationToken));
        }
    }

    [Fact]
    public void ARunInSteadyStateAllocatesNothing()
    {
        using ThreadTeam team = new(2);
        long sum = 0;
        Action<int> work = part => Interlocked.Add(ref sum, part);
        for (int run = 0; run < 1000; run++)
            team.Run(4, work);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int run = 0; run < 1000; run++)
            team.Run(4, work);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Fact]
    public void ADisposedTeamRefusesRunsAndItsThreadsEnd()
    {
        ThreadTeam team = new(4);
        team.Run(4, _ => { });
        team.Dispose();
        team.Dispose();
        Assert.Throws<ObjectDisposedException>(() => team.Run(1, _ => { }));
    }

    [Fact]
    public void TheSizeComesFromTheProcessorsOrTheSetting()
    {
        Assert.Equal(Environment.ProcessorCount, ThreadTeam.ThreadsFrom(null));
        Assert.Equal(7, ThreadTeam.ThreadsFrom("7"));
        foreach (string bad in new[] { "0", "-1", "two", "1025", "99999999999", " 2" })
            Assert.StartsWith("SKIFF_THREADS: value: ", Assert.Throws<InvalidInputException>(() => ThreadTeam.ThreadsFrom(bad)).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(() => new ThreadTeam(0));
    }
}
