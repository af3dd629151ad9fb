using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Inference;

/// <summary>
/// Runs many requests over one engine, which its thread alone uses. Every pass takes one token of each request that is being answered and
/// pieces of prompts beside them, so that a long prompt holds nobody up for more than a pass. Requests join and leave between passes, and
/// each gets the tokens that <see cref="Generator"/> gives it alone. Safe to use from many threads.
/// </summary>
public sealed class Scheduler : IDisposable
{
    private readonly InferenceEngine _engine;
    private readonly Generator _generator;
    private readonly SchedulerOptions _options;
    private readonly Thread _thread;
    private readonly object _lock = new();
    // Under the lock. Only the thread adds to the running ones and takes from them.
    private readonly SortedSet<ScheduledRequest> _waiting = new(ScheduledRequest.Order);
    private readonly SortedSet<ScheduledRequest> _running = new(ScheduledRequest.Order);
    private readonly KeptSequences _kept;
    private long _runningBytes, _number, _sharedTokens;
    private bool _disposed;
    private Exception? _failure;
    private float[] _logits = [];

    /// <summary>Starts the thread.</summary>
    /// <param name="engine">Nobody else may use it until the scheduler is disposed, which leaves it open.</param>
    /// <param name="tokenizer">Belongs to its model.</param>
    /// <param name="options">The usual ones when null.</param>
    /// <exception cref="InvalidInputException">An option out of its range.</exception>
    public Scheduler(InferenceEngine engine, Tokenizer tokenizer, SchedulerOptions? options = null)
    {
        _options = options ?? new SchedulerOptions();
        _options.Check();
        (_engine, _generator, _kept) = (engine, new Generator(engine, tokenizer), new KeptSequences(_options.KeptSequences));
        _thread = new Thread(Run) { IsBackground = true, Name = "scheduler" };
        _thread.Start();
    }

    /// <summary>What is in hand now.</summary>
    public SchedulerStatistics Statistics
    {
        get
        {
            lock (_lock)
                return new SchedulerStatistics(_running.Count, _waiting.Count, _engine.CacheBytes, _sharedTokens);
        }
    }

    /// <summary>Queues a request.</summary>
    /// <param name="prompt">Ids, at least one.</param>
    /// <param name="sampler">Draws its tokens, on the scheduler's thread; its own. What it throws ends this request alone.</param>
    /// <param name="options">When it ends.</param>
    /// <param name="priority">Among waiting ones the higher go first, equal ones in the order they came; none overtakes one that waits for memory.</param>
    /// <param name="stop">Ends it by the next pass with an <see cref="OperationCanceledException"/>.</param>
    /// <returns>Its tokens as they are drawn, to be read once; it runs whether they are read or not, until its reader leaves.</returns>
    /// <exception cref="InvalidInputException">It does not fit the context or the vocabulary, or needs more than all of the memory.</exception>
    /// <exception cref="InvalidOperationException">The engine failed before.</exception>
    public IAsyncEnumerable<GeneratedToken> Submit(int[] prompt, ISampler sampler, GenerationOptions options, int priority = 0, CancellationToken stop = default)
    {
        // What is checked here is what the engine reads later.
        prompt = [.. prompt];
        int count = _generator.CountOf(prompt, options);
        foreach (int id in prompt)
            CheckId(id);
        StopStrings stops = new(options.Stop);
        // The last token drawn takes no position, but the planned length, which takes room at once, counts it.
        int planned = prompt.Length + (options.MaxTokens ?? 0), positions = Math.Min(prompt.Length + count, _engine.MaxPositions);
        long bytes = _engine.Plan.SequenceBytes(positions, _engine.MaxRows);
        if (bytes > _options.CacheBytes)
            throw new InvalidInputException("generation", "max-tokens", $"{count} after {prompt.Length} of the prompt need {bytes} bytes of keys and values, more than the {_options.CacheBytes} there are; ask for fewer");
        Continuation continuation = _generator.Begin(prompt, sampler, options, count, stops);
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            if (_failure is { } failure)
                throw new InvalidOperationException("the engine failed: " + failure.Message, failure);
            ScheduledRequest request = new(prompt, continuation, priority, _number++, stop) { PlannedLength = planned, Positions = positions, Bytes = bytes };
            _waiting.Add(request);
            Monitor.PulseAll(_lock);
            return request.Read(CancellationToken.None);
        }
    }

    private void CheckId(int id)
    {
        if ((uint)id >= (uint)_engine.VocabularySize)
            throw new InvalidInputException("input", "tokens", $"id {id} is outside the vocabulary of {_engine.VocabularySize}");
    }

    private void Run()
    {
        try
        {
            while (Admit())
                Pass();
        }
        catch (Exception error)
        {
            // A pass that broke off leaves every sequence in it of unknown state.
            lock (_lock)
                _failure = error;
        }

        lock (_lock)
        {
            foreach (ScheduledRequest request in _running.Concat(_waiting))
                request.End(_failure ?? new OperationCanceledException("the scheduler was disposed"));
            _running.Clear();
            _waiting.Clear();
            _kept.Dispose();
        }
    }

    // Lets go of what nobody wants, takes on what fits, and waits while there is nothing to do; false at the end.
    private bool Admit()
    {
        lock (_lock)
        {
            while (!_disposed)
            {
                foreach (ScheduledRequest request in _running.Where(r => r.Unwanted).ToArray())
                    Leave(request).Cancel();
                foreach (ScheduledRequest request in _waiting.Where(r => r.Unwanted).ToArray())
                {
                    _waiting.Remove(request);
                    request.Cancel();
                }

                while (_waiting.Min is { } first && _running.Count < Math.Min(_options.MaxRunning, _engine.MaxRows) && first.Bytes <= _options.CacheBytes - _runningBytes)
                {
                    _waiting.Remove(first);
                    Start(first);
                }

                if (_running.Count > 0)
                    return true;
                Monitor.Wait(_lock);
            }

            return false;
        }
    }

    private void Start(ScheduledRequest request)
    {
        try
        {
            request.Begin(_kept.Fork(request.Sharable, request.PlannedLength) ?? _engine.CreateSequence(request.PlannedLength));
            InferenceSequence sequence = request.Sequence!;
            _sharedTokens += sequence.Position;
            // What is kept and what runs may share pages, but each is counted in full: the budget holds whatever happens.
            _kept.Shrink(_options.CacheBytes - _runningBytes - request.Bytes);
            // All its room at once: what it may come to is what it is counted with.
            sequence.Reserve(request.Positions - sequence.Position);
        }
        catch (Exception error)
        {
            // No memory, most likely: the others have theirs.
            request.End(error);
            return;
        }

        _running.Add(request);
        _runningBytes += request.Bytes;
    }

    private ScheduledRequest Leave(ScheduledRequest request)
    {
        _running.Remove(request);
        _runningBytes -= request.Bytes;
        return request;
    }

    private void Pass()
    {
        // There are no more running ones than rows, so a prompt always gets at least one.
        ScheduledRequest[] answering = [.. _running.Where(r => r.PromptLeft == 0)];
        List<ScheduledRequest> members = [.. answering];
        List<SequenceTokens> batch = [.. answering.Select(r => r.Take(1))];
        int room = Math.Min(_options.PromptChunk, _engine.MaxRows - batch.Count);
        foreach (ScheduledRequest request in _running.Where(r => r.PromptLeft > 0))
        {
            if (room == 0)
                break;
            members.Add(request);
            batch.Add(request.Take(room));
            room -= batch[^1].Tokens.Length;
        }

        int vocabulary = _engine.VocabularySize, rows = batch.Sum(entry => entry.LogitRows);
        if (_logits.Length < rows * vocabulary)
            _logits = new float[rows * vocabulary];
        _engine.Forward([.. batch], _logits.AsSpan(0, rows * vocabulary));
        for (int i = 0, row = 0; i < members.Count; row += batch[i++].LogitRows)
        {
            if (batch[i].LogitRows > 0)
                See(members[i], batch[i], _logits.AsSpan(row * vocabulary, batch[i].LogitRows * vocabulary));
        }
    }

    private void See(ScheduledRequest request, SequenceTokens rows, ReadOnlySpan<float> logits)
    {
        Exception? error = null;
        try
        {
            if (!request.See(rows, logits))
                return;
        }
        catch (Exception thrown)
        {
            error = thrown;
        }

        lock (_lock)
        {
            Leave(request);
            if (error is null && _options.KeptSequences > 0)
            {
                (InferenceSequence sequence, int[] tokens) = request.TakeSequence();
                _kept.Add(sequence, tokens);
                _kept.Shrink(_options.CacheBytes - _runningBytes);
            }
        }

        request.End(error);
    }

    /// <summary>Ends every request with an <see cref="OperationCanceledException"/> and frees its sequence; the engine stays.</summary>
    public void Dispose()
    {
        lock (_lock)
        {
            _disposed = true;
            Monitor.PulseAll(_lock);
        }

        // A sampler that disposes ends the loop behind itself.
        if (Thread.CurrentThread != _thread)
            _thread.Join();
    }
}
