using Skiff.Fuzz;
using Skiff.Tensors;
using Skiff.Tests.Fuzzing;
using Skiff.Training;

namespace Skiff.Tests.Training;

public sealed class ShardHeaderTests
{
    [Theory]
    [InlineData(1 << 16, 2)]
    [InlineData((1 << 16) + 1, 4)]
    [InlineData(1, 2)]
    public void AHeaderIsReadAsWritten(int vocabulary, int width)
    {
        byte[] file = Shard(vocabulary, 3);
        ShardHeader header = ShardHeader.Parse(file, file.Length, "x");
        Assert.Equal(width, header.IdWidth);
        Assert.Equal((vocabulary, 7, true, 40, 3, 6, 30), (header.VocabularySize, header.Index, header.IsLast, header.FirstDocument, header.Documents, header.Tokens, header.TextBytes));
        Assert.All(header.Key.ToArray(), value => Assert.Equal(1, value));
        Assert.All(header.Tokenizer.ToArray(), value => Assert.Equal(2, value));
        ShardTable.Check(file.AsSpan(header.TableAt), header, "x");
    }

    [Fact]
    public void AnyBitThatChangesIsNoticed()
    {
        byte[] file = Shard(300, 3);
        for (int bit = 0; bit < 8 * ShardHeader.Size; bit++)
        {
            byte[] changed = [.. file];
            changed[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.Throws<InvalidInputException>(() => ShardHeader.Parse(changed, changed.Length, "x"));
        }
    }

    [Fact]
    public void MutatedShardsNeitherCrashNorHang() =>
        Mutation.Check([Shard(300, 3), Shard(100_000, 20), Shard(300, 1)], FuzzTargets.All["token-shard"]);

    private static byte[] Shard(int vocabulary, int documents)
    {
        using MemoryStream stream = new();
        int width = vocabulary <= 1 << 16 ? 2 : 4;
        using ShardWriter writer = new(stream, width);
        for (int i = 0; i < documents; i++)
            writer.Append([0, i % vocabulary], 10, (uint)i);
        writer.Finish(new ShardHeader
        {
            VocabularySize = vocabulary,
            Index = 7,
            IsLast = true,
            FirstDocument = 40,
            Documents = 0,
            Tokens = 0,
            TextBytes = 0,
            Key = Enumerable.Repeat((byte)1, 32).ToArray(),
            Tokenizer = Enumerable.Repeat((byte)2, 32).ToArray(),
            Content = default,
        });
        return stream.ToArray();
    }
}
