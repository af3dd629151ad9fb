using System.Text;
using Skiff.Benchmarks;
using Skiff.Tensors;
using Skiff.Tests.Training;
using Skiff.Training;

namespace Skiff.Tests.Benchmarks;

public sealed class SplitCorpusTests : IDisposable
{
    private readonly Corpus _corpus = new();

    public void Dispose() => _corpus.Dispose();

    // The shards' table knows hashes and sizes; both sides must hold as many documents and bytes, and the same ones.
    [Theory]
    [InlineData(0.05)]
    [InlineData(0.5)]
    public void TheSplitIsTheTrainers(double share)
    {
        string[] texts = Corpus.Texts(2000, 900);
        string file = _corpus.Write("a.jsonl.gz", texts);
        using TokenShards shards = _corpus.Build(file).Shards;
        List<string> training = [];
        SplitCorpus split = new([file], share, text => training.Add(Encoding.UTF8.GetString(text)));
        TokenCount held = shards.Count(DataSplit.HeldOut, share), rest = shards.Count(DataSplit.Training, share);
        string[] heldOut = [.. split.HeldOutTexts.Select(Encoding.UTF8.GetString)];

        Assert.Equal((held.Documents, held.TextBytes), (heldOut.Length, split.HeldOutTexts.Sum(text => (long)text.Length)));
        Assert.Equal((rest.Documents, rest.TextBytes), (split.TrainingDocuments, split.TrainingBytes));
        HashSet<string> measured = [.. heldOut];
        Assert.Equal(texts.Where(measured.Contains), heldOut);
        Assert.Equal(texts.Where(text => !measured.Contains(text)), training);
    }

    [Fact]
    public void AnEmptySideIsRefused()
    {
        string file = _corpus.Write("a.jsonl", Corpus.Texts(20, 10));
        foreach (double share in new[] { 0, 1 })
            Assert.Equal("--held-out", Assert.Throws<InvalidInputException>(() => new SplitCorpus([file], share, _ => { })).Field);
        Assert.Throws<InvalidInputException>(() => new SplitCorpus([file], 1.5, _ => { }));
    }
}
