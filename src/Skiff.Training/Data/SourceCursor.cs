using Skiff.Tensors;

namespace Skiff.Training;

/// <summary>
/// Goes through one source again and again, each time in another order. What is shuffled is a unit: all pieces (documents,
/// or stretches of <c>pieceLength</c> tokens of longer ones) that begin within the same <see cref="UnitTokens"/> tokens of
/// a shard. So a place is three numbers, and no list of documents is held.
/// </summary>
internal sealed class SourceCursor
{
    /// <summary>Tokens a unit spans: short documents are shuffled nearly one by one.</summary>
    public const int UnitTokens = 16;

    private readonly DataSource _source;
    private readonly HeldOut _part;
    private readonly int _pieceLength;
    private readonly ulong _key;
    private readonly long[] _firstUnits;
    private Permutation _order;
    private TokenShard _shard;
    private int _search;
    private int _unitEnd;
    private int _at;
    private int _pieceEnd;
    private int _documentEnd;

    public SourceCursor(DataSource source, HeldOut part, int pieceLength, ulong key)
    {
        _source = source;
        _part = part;
        _pieceLength = pieceLength;
        _key = key;
        _firstUnits = new long[source.Shards.Shards.Count + 1];
        for (int i = 0; i < source.Shards.Shards.Count; i++)
            _firstUnits[i + 1] = _firstUnits[i] + ((source.Shards.Shards[i].Header.Tokens + UnitTokens - 1L) / UnitTokens);
        _shard = source.Shards.Shards[0];
        OpenUnit();
    }

    /// <summary>Times the source was gone through.</summary>
    public long Epoch { get; private set; }

    /// <summary>Units of the epoch done.</summary>
    public long Unit { get; private set; }

    /// <summary>Tokens of the present unit taken.</summary>
    public int Offset { get; private set; }

    /// <summary>Fills a row.</summary>
    public void Read(Span<int> tokens, Span<int> targets, Span<int> starts)
    {
        int filled = 0;
        while (filled < tokens.Length)
        {
            while (_at == _pieceEnd)
            {
                if (!NextPiece())
                    NextUnit();
            }

            int count = Math.Min(tokens.Length - filled, _pieceEnd - _at);
            _shard.Copy(_at, tokens.Slice(filled, count));
            starts.Slice(filled, count).Fill(filled);
            // A document's last token foretells nothing; the last one of a piece foretells the next piece's first.
            int known = Math.Min(count, _documentEnd - _at - 1);
            _shard.Copy(_at + 1, targets.Slice(filled, known));
            _shard.Hide(_at + 1, targets.Slice(filled, known));
            targets[(filled + known)..(filled + count)].Fill(DataLoader.NoTarget);
            filled += count;
            _at += count;
            Offset += count;
        }
    }

    /// <summary>Moves to a place that another cursor over the same source told.</summary>
    /// <exception cref="InvalidInputException">There is no such place.</exception>
    public void Seek(long epoch, long unit, int offset)
    {
        if (epoch < 0 || unit < 0 || unit >= _firstUnits[^1] || offset < 0)
            throw new InvalidInputException(_source.Name, "data position", $"epoch {epoch}, unit {unit}, offset {offset} lies outside the source");
        (Epoch, Unit) = (epoch, unit);
        OpenUnit();
        while (Offset < offset)
        {
            if (!NextPiece())
                throw new InvalidInputException(_source.Name, "data position", $"offset {offset} lies behind the {Offset} tokens of unit {unit}");
            int count = Math.Min(_pieceEnd - _at, offset - Offset);
            _at += count;
            Offset += count;
        }
    }

    // The next piece of this side that begins within the unit.
    private bool NextPiece()
    {
        ReadOnlySpan<byte> table = _shard.Table;
        while (_search < _unitEnd)
        {
            int document = ShardTable.DocumentAt(table, _search);
            int start = _shard.Start(document), end = ShardTable.End(table, document);
            // Pieces are counted from the document's start: the first one that begins here or later.
            long piece = start + ((_search - start + _pieceLength - 1L) / _pieceLength * _pieceLength);
            if (piece >= end || !_part.Holds(ShardTable.Hash(table, document)))
            {
                _search = end;
                continue;
            }

            if (piece >= _unitEnd)
                return false;
            _at = (int)piece;
            _pieceEnd = (int)Math.Min(piece + _pieceLength, end);
            _documentEnd = end;
            _search = _at + 1;
            return true;
        }

        return false;
    }

    private void NextUnit()
    {
        if (++Unit == _firstUnits[^1])
        {
            Unit = 0;
            Epoch++;
        }

        OpenUnit();
    }

    private void OpenUnit()
    {
        _order = new Permutation(_firstUnits[^1], Permutation.Mix(_key + Permutation.Mix((ulong)Epoch)));
        long unit = _order[Unit];
        int index = Array.BinarySearch(_firstUnits, unit);
        if (index < 0)
            index = ~index - 1;
        // Of shards without tokens, which begin where the next one does, the last is meant.
        while (_firstUnits[index + 1] == unit)
            index++;
        _shard = _source.Shards.Shards[index];
        _search = (int)((unit - _firstUnits[index]) * UnitTokens);
        _unitEnd = (int)Math.Min(_search + (long)UnitTokens, _shard.Header.Tokens);
        (_at, _pieceEnd, Offset) = (0, 0, 0);
    }
}
