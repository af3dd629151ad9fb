using Skiff.Tensors;

namespace Skiff.Tests.Tensors;

public sealed class MachineBandwidthTests
{
    [Fact]
    public void ItMeasuresOnTeamsOfAnySizeUntilTheBufferIsGone()
    {
        MachineBandwidth memory = new(bytes: (21L << 20) + 5);
        Assert.Equal(20L << 20, memory.Bytes);
        using ThreadTeam one = new(1), three = new(3);
        foreach (ThreadTeam? team in new[] { one, three, null })
            Assert.InRange(memory.Measure(team), 1, 1e15);
        memory.Dispose();
        Assert.Throws<ObjectDisposedException>(() => memory.Measure(one));
        Assert.Throws<ArgumentOutOfRangeException>(() => new MachineBandwidth(bytes: 1 << 20));
    }
}
