namespace Skiff.Inference;

/// <summary>Sequences of ended requests, for requests that begin alike: the next turn of a chat, or the same instructions before another question.</summary>
/// <param name="most">How many stay at most; the one that was of use longest ago goes first.</param>
internal sealed class KeptSequences(int most) : IDisposable
{
    // The last is the one used last.
    private readonly List<(InferenceSequence Sequence, int[] Tokens)> _kept = [];

    /// <summary>Bytes they hold, shared pages counted in full.</summary>
    public long Bytes => _kept.Sum(kept => kept.Sequence.ByteLength);

    /// <summary>Takes a sequence over.</summary>
    /// <param name="sequence">Disposed at once where none may stay.</param>
    /// <param name="tokens">What it holds.</param>
    public void Add(InferenceSequence sequence, int[] tokens)
    {
        _kept.Add((sequence, tokens));
        while (_kept.Count > most)
            DropOldest();
    }

    /// <summary>Gives up the oldest ones until there are no more bytes than a number.</summary>
    public void Shrink(long bytes)
    {
        while (_kept.Count > 0 && Bytes > bytes)
            DropOldest();
    }

    /// <summary>A fork of the sequence that holds most of some beginning, or null.</summary>
    public InferenceSequence? Fork(ReadOnlySpan<int> beginning, int plannedLength)
    {
        int longest = 0, at = -1;
        for (int i = 0; i < _kept.Count; i++)
        {
            int common = beginning.CommonPrefixLength(_kept[i].Tokens);
            if (common > longest && _kept[i].Sequence.CanFork(common, plannedLength))
                (longest, at) = (common, i);
        }

        if (at < 0)
            return null;
        (InferenceSequence Sequence, int[] Tokens) used = _kept[at];
        _kept.RemoveAt(at);
        _kept.Add(used);
        return used.Sequence.Fork(longest, plannedLength);
    }

    private void DropOldest()
    {
        _kept[0].Sequence.Dispose();
        _kept.RemoveAt(0);
    }

    /// <summary>Gives all of them up.</summary>
    public void Dispose() => Shrink(-1);
}
