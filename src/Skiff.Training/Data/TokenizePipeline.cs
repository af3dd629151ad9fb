using System.Collections.Concurrent;
using Skiff.Models;

namespace Skiff.Training;

/// <summary>
/// Tokenises a corpus in parallel and hands the batches out in its order: one thread reads, <see cref="TokenShardOptions.Threads"/>
/// encode, the caller writes. At most a few batches are on their way.
/// </summary>
internal sealed class TokenizePipeline : IDisposable
{
    private readonly CancellationTokenSource _stop;
    private readonly BlockingCollection<DocumentBatch> _inOrder;
    private readonly BlockingCollection<DocumentBatch> _toEncode;
    private readonly ConcurrentBag<DocumentBatch> _free = [];
    private readonly Task _reader;
    private readonly Task[] _encoders;

    /// <summary>Begins to read, leaving out the first <paramref name="skip"/> documents.</summary>
    public TokenizePipeline(
        IReadOnlyList<string> files, Tokenizer tokenizer, ChatTemplate? template, TokenShardOptions options, long skip, CancellationToken cancellation)
    {
        _stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        _inOrder = new BlockingCollection<DocumentBatch>((2 * options.Threads) + 1);
        _toEncode = new BlockingCollection<DocumentBatch>((2 * options.Threads) + 1);
        // What the encoder refuses is refused before a thread runs.
        DocumentEncoder encoder = new(tokenizer, template, options);
        _reader = Start(() => Read(files, options.Format, skip));
        _encoders = [.. Enumerable.Range(0, options.Threads).Select(_ => Start(() => Encode(encoder)))];
    }

    /// <summary>The next batch, encoded, or null at the end of the corpus. Give it back with <see cref="Return"/>.</summary>
    /// <exception cref="Skiff.Tensors.InvalidInputException">A file cannot be read; the documents before were handed out.</exception>
    public DocumentBatch? Next()
    {
        if (!_inOrder.TryTake(out DocumentBatch? batch, Timeout.Infinite, _stop.Token))
        {
            _reader.GetAwaiter().GetResult();
            return null;
        }

        batch.Encoded.Task.WaitAsync(_stop.Token).GetAwaiter().GetResult();
        return batch;
    }

    /// <summary>Takes a batch back, to be filled again.</summary>
    public void Return(DocumentBatch batch)
    {
        batch.Reset();
        _free.Add(batch);
    }

    public void Dispose()
    {
        _stop.Cancel();
        try
        {
            Task.WaitAll([_reader, .. _encoders]);
        }
        catch (AggregateException)
        {
            // Next has told what went wrong; what else stopped was told to.
        }

        _inOrder.Dispose();
        _toEncode.Dispose();
        _stop.Dispose();
    }

    private void Read(IReadOnlyList<string> files, DocumentFormat format, long skip)
    {
        try
        {
            DocumentGatherer gatherer = new(
                skip,
                () => _free.TryTake(out DocumentBatch? batch) ? batch : new DocumentBatch(),
                batch =>
                {
                    _inOrder.Add(batch, _stop.Token);
                    _toEncode.Add(batch, _stop.Token);
                });
            DocumentReader.Read(files, format, gatherer, _stop.Token);
        }
        finally
        {
            _inOrder.CompleteAdding();
            _toEncode.CompleteAdding();
        }
    }

    private void Encode(DocumentEncoder encoder)
    {
        foreach (DocumentBatch batch in _toEncode.GetConsumingEnumerable(_stop.Token))
        {
            try
            {
                encoder.Encode(batch);
                batch.Encoded.SetResult();
            }
            catch (Exception e)
            {
                batch.Encoded.SetException(e);
            }
        }
    }

    private static Task Start(Action action) =>
        Task.Factory.StartNew(action, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
}
