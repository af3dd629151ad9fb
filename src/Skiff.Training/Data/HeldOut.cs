using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
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

    /// <summary>The upper 32 bits of a text's SHA-256.</summary>
    public static uint Hash(ReadOnlySpan<byte> text)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(text, hash);
        return BinaryPrimitives.ReadUInt32BigEndian(hash);
    }

    /// <summary>Whether this side holds the document with such a hash.</summary>
    public bool Holds(uint hash) => hash < _limit == _below;
}
