namespace Skiff.Training;

/// <summary>The documents of a pipeline, one by one, with a look ahead: a shard must know whether it is the last.</summary>
internal sealed class EncodedDocuments(TokenizePipeline pipeline)
{
    private DocumentBatch? _batch;
    private int _next;

    /// <summary>Bytes of the sources up to the end of the present batch.</summary>
    public long SourceBytes { get; private set; }

    /// <summary>Whether no document is left.</summary>
    public bool AtEnd
    {
        get
        {
            while (_batch is null || _next == _batch.IdEnds.Count)
            {
                if (_batch is not null)
                    pipeline.Return(_batch);
                _batch = pipeline.Next();
                _next = 0;
                if (_batch is null)
                    return true;
                SourceBytes = _batch.SourceBytes;
            }

            return false;
        }
    }

    /// <summary>Appends the next document to a shard; there must be one.</summary>
    public void MoveTo(ShardWriter shard)
    {
        DocumentBatch batch = _batch!;
        int start = _next == 0 ? 0 : batch.IdEnds[_next - 1], length = batch.IdEnds[_next] - start;
        ReadOnlySpan<bool> isTarget = batch.IsTarget.Length == 0 ? [] : batch.IsTarget.AsSpan(start, length);
        shard.Append(batch.Ids.AsSpan(start, length), isTarget, batch.TextBytes[_next], batch.Hashes[_next]);
        _next++;
    }
}
