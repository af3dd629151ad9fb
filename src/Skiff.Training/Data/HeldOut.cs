using System.Globalization;
using Skiff.Tensors;

namespace Skiff.Training;

/// <summary>
/// One side of the held-out split: a document is held out where the upper 32 bits of the SHA-256 of its text (of a conversation,
/// its messages) lie in the lowest share of all values, so the split does not depend on files, their order or the other documents.
/// </summary>
internal readonly struct HeldOut
{
    private readonly ulong _limit;
    private readonly bool _below;

    public HeldOut(DataSplit split, double share)
    {
        if (!(share is >= 0 and <= 1))
            throw new InvalidInputException("held-out share", share.ToString(CultureInfo.InvariantCulture), "must be from 0 to 1");
        _limit = (ulong)(share * (1UL << 32));
        _below = split == DataSplit.HeldOut;
    }

    /// <summary>Whether this side holds the document with such a hash.</summary>
    public bool Holds(uint hash) => hash < _limit == _below;
}
