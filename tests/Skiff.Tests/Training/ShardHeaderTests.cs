using Skiff.Fuzz;
using Skiff.Tensors;
using Skiff.Tests.Fuzzing;
using Skiff.Training;

namespace Skiff.Tests.Training;

public sealed class ShardHeaderTests
{
    [Theory]
    [InlineData(1 << 16, 2, false)]
    [InlineData((1 << 16) + 1, 4, true)]
    [InlineData(1, 2, true)]
    public void AHeaderIsReadAsWritten(int vocabulary, int width, bool isMasked)
    {
        byte[] file = Shard(vocabulary, 3, isMasked);
        ShardHeader header = ShardHeader.Parse(file, file.Length, "x");
        Assert.Equal((width, isMasked), (header.IdWidth, header.IsMasked));
        Assert.Equal((vocabulary, 7, true, 40, 3, 6, 30), (header.VocabularySize, header.Index, header.IsLast, header.FirstDocument, header.Documents, header.Tokens, header.TextBytes));
        Assert.All(header.Key.ToArray(), value => Assert.Equal(1, value));
        Assert.All(header.Tokenizer.ToArray(), value => Assert.Equal(2, value));
        ShardTable.Check(file.AsSpan(header.TableAt), header, "x");
        Assert.Equal(isMasked ? 8 : 0, header.TableAt - header.MaskAt);
        if (isMasked)
            Assert.Equal([0b101010, 0, 0, 0, 0, 0, 0, 0], file[header.MaskAt..header.TableAt]);
    }

    [Theory]
    [InlineData(4)]
    [InlineData(32)]
    [InlineData(33)]
    public void MaskAndTableDoNotOverlap(int documents)
    {
        byte[] file = Shard(300, documents, isMasked: true);
        ShardHeader header = ShardHeader.Parse(file, file.Length, "x");
        Assert.Equal((2 * documents + 63) / 64 * 8, header.TableAt - header.MaskAt);
        Assert.Equal(documents, file[header.MaskAt..header.TableAt].Sum(bits => int.PopCount(bits)));
        ShardTable.Check(file.AsSpan(header.TableAt), header, "x");
    }

    [Fact]
    public void AFlagThatIsNotKnownIsRefused()
    {
        byte[] file = Shard(300, 3);
        file[28] = 2;
        ShardHeader.Seal(file);
        Assert.Equal("header", Assert.Throws<InvalidInputException>(() => ShardHeader.Parse(file, file.Length, "x")).Field);
        // Bits that are not there are missed in the length.
        file[28] = 1;
        ShardHeader.Seal(file);
        Assert.Equal("length", Assert.Throws<InvalidInputException>(() => ShardHeader.Parse(file, file.Length, "x")).Field);
    }

    [Fact]
    public void AnOlderVersionIsToBeBuiltAnew()
    {
        byte[] file = Shard(300, 3);
        file[8] = 1;
        ShardHeader.Seal(file);
        Assert.Equal("version", Assert.Throws<InvalidInputException>(() => ShardHeader.Parse(file, file.Length, "x")).Field);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void AnyBitThatChangesIsNoticed(bool isMasked)
    {
        byte[] file = Shard(300, 3, isMasked);
        for (int bit = 0; bit < 8 * ShardHeader.Size; bit++)
        {
            byte[] changed = [.. file];
            changed[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.Throws<InvalidInputException>(() => ShardHeader.Parse(changed, changed.Length, "x"));
        }
    }

    [Fact]
    public void MutatedShardsNeitherCrashNorHang() =>
        Mutation.Check([Shard(300, 3), Shard(100_000, 20), Shard(300, 1), Shard(300, 40, isMasked: true)], FuzzTargets.All["token-shard"]);

    private static byte[] Shard(int vocabulary, int documents, bool isMasked = false)
    {
        using MemoryStream stream = new();
        int width = vocabulary <= 1 << 16 ? 2 : 4;
        using ShardWriter writer = new(stream, width, isMasked);
        for (int i = 0; i < documents; i++)
            writer.Append([0, i % vocabulary], isMasked ? [false, true] : [], 10, (uint)i);
        writer.Finish(new ShardHeader
        {
            VocabularySize = vocabulary,
            Index = 7,
            IsLast = true,
            IsMasked = isMasked,
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
