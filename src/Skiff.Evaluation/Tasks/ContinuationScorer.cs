using System.Numerics.Tensors;
using Skiff.Inference;
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Evaluation;

/// <summary>How likely a continuation is.</summary>
/// <param name="LogProbability">The sum of its tokens', nats.</param>
/// <param name="IsGreedy">Each of its tokens is the likeliest in its place.</param>
/// <param name="Tokens">How many there are.</param>
public readonly record struct ContinuationScore(double LogProbability, bool IsGreedy, int Tokens);

/// <summary>
/// Scores continuations, many in a pass. What prompts share, demonstrations above all, is computed once and forked; so is an item's prompt for its
/// choices. A score has the same bits as one computed alone, since a row's result does not depend on what is beside it.
/// </summary>
public sealed class ContinuationScorer : IDisposable
{
    // Logits of this many values are held at a time, 32 MiB, and items of this many tokens are in hand.
    private const int LogitsHeld = 1 << 23, TokensInHand = 1 << 14, LeastShared = 16;

    private readonly InferenceEngine _engine;
    private readonly Tokenizer _tokenizer;
    private int[] _sharedTokens = [];
    private InferenceSequence? _shared;

    /// <summary>A scorer over an engine, which stays the caller's.</summary>
    public ContinuationScorer(InferenceEngine engine, Tokenizer tokenizer) => (_engine, _tokenizer) = (engine, tokenizer);

    /// <summary>Tokens that went through the model so far.</summary>
    public long Computed { get; private set; }

    /// <summary>Requests whose prompt was cut at its beginning to fit the context.</summary>
    public int Truncated { get; private set; }

    /// <summary>Scores the requests of items, in order; those of one item are scored together.</summary>
    /// <param name="items">Requests of each item.</param>
    /// <param name="truncate">Cut prompts that are longer than the context at their beginning rather than refuse them.</param>
    /// <param name="nameOf">An item's name, for refusals.</param>
    /// <param name="stop">Ends the work.</param>
    /// <exception cref="InvalidInputException">A prompt is longer than the context.</exception>
    public IEnumerable<IReadOnlyList<ContinuationScore>> Score(IEnumerable<IReadOnlyList<TaskRequest>> items, bool truncate, Func<int, string> nameOf, CancellationToken stop)
    {
        List<Pair[]> batch = [];
        int rows = 0, number = 0;
        foreach (IReadOnlyList<TaskRequest> item in items)
        {
            Pair[] pairs = [.. item.Select(request => Encode(request, truncate, nameOf(number)))];
            number++;
            batch.Add(pairs);
            rows += pairs.Sum(pair => pair.Tokens.Length);
            if (rows < TokensInHand)
                continue;
            foreach (IReadOnlyList<ContinuationScore> scores in Run(batch, stop))
                yield return scores;
            batch.Clear();
            rows = 0;
        }

        foreach (IReadOnlyList<ContinuationScore> scores in Run(batch, stop))
            yield return scores;
    }

    /// <summary>The log-probability of a whole text, in pieces that fill the context, each token behind as many as fit.</summary>
    /// <param name="text">The text.</param>
    /// <param name="stop">Ends the work.</param>
    public ContinuationScore Rolling(string text, CancellationToken stop)
    {
        int[] ids = _tokenizer.Encode(text, addSpecial: false);
        int most = _engine.MaxPositions, first = _tokenizer.BosId ?? _tokenizer.EosId ?? 0;
        List<Pair[]> windows = [];
        for (int done = 0; done < ids.Length;)
        {
            int count = Math.Min(ids.Length - done, most), end = done + count;
            // Behind the first window the tokens in front of it are its context; a last short one has more of them.
            int[] input = done == 0 ? [first, .. ids[..(end - 1)]] : ids[Math.Max(0, end - most - 1)..(end - 1)];
            windows.Add([new Pair([.. input, ids[end - 1]], input.Length - count + 1)]);
            done = end;
        }

        ContinuationScore[] scores = [.. windows.Chunk(Math.Max(1, TokensInHand / most)).SelectMany(some => Run([.. some], stop)).Select(window => window[0])];
        return new ContinuationScore(scores.Sum(score => score.LogProbability), scores.All(score => score.IsGreedy), ids.Length);
    }

    /// <inheritdoc/>
    public void Dispose() => _shared?.Dispose();

    // As the harness cuts: spaces at the end of the prompt belong to the continuation, whose tokens are those behind the prompt's own.
    private Pair Encode(TaskRequest request, bool truncate, string name)
    {
        string context = request.Context.TrimEnd(), continuation = request.Context[context.Length..] + request.Continuation;
        int[] front = context.Length == 0 ? [_tokenizer.BosId ?? _tokenizer.EosId ?? 0] : _tokenizer.Encode(context);
        int[] whole = context.Length == 0 ? [.. front, .. _tokenizer.Encode(continuation, addSpecial: false)] : _tokenizer.Encode(context + continuation);
        if (whole.Length <= front.Length)
            throw new InvalidInputException(name, "continuation", $"'{continuation}' adds no token to its prompt");
        int over = whole.Length - 1 - _engine.MaxPositions;
        if (over <= 0)
            return new Pair(whole, front.Length);
        if (!truncate || over >= front.Length)
            throw new InvalidInputException(name, "tokens", $"{whole.Length - 1} are more than this model's context of {_engine.MaxPositions}: ask for fewer demonstrations, or --truncate to cut prompts at their beginning");
        Truncated++;
        return new Pair(whole[over..], front.Length - over);
    }

    private IReadOnlyList<ContinuationScore>[] Run(List<Pair[]> items, CancellationToken stop)
    {
        if (items.Count == 0)
            return [];
        Share(items, stop);
        InferenceSequence[] prefixes = new InferenceSequence[items.Count];
        int[] common = new int[items.Count];
        try
        {
            List<SequenceTokens> work = [];
            for (int i = 0; i < items.Count; i++)
            {
                // The last token of the prompt is read with each choice: its logits foretell the first of these.
                common[i] = Math.Max(0, items[i].Min(pair => Math.Min(pair.Front - 1, pair.Tokens.AsSpan().CommonPrefixLength(items[i][0].Tokens))));
                bool shares = _shared is not null && common[i] >= _sharedTokens.Length && items[i][0].Tokens.AsSpan().StartsWith(_sharedTokens);
                prefixes[i] = shares ? _shared!.Fork() : _engine.CreateSequence();
                int start = prefixes[i].Position;
                if (common[i] > start)
                    work.Add(new SequenceTokens(prefixes[i], items[i][0].Tokens.AsMemory(start, common[i] - start), WantedLogits.None));
            }

            Forward(work, null, stop);
            work.Clear();
            List<(Pair Pair, InferenceSequence Sequence)> tails = [];
            for (int i = 0; i < items.Count; i++)
            {
                foreach (Pair pair in items[i])
                    tails.Add((pair, prefixes[i].Fork()));
            }

            try
            {
                Tally[] tallies = [.. tails.Select(tail => new Tally(tail.Pair))];
                int t = 0;
                for (int i = 0; i < items.Count; i++)
                {
                    foreach (Pair pair in items[i])
                        work.Add(new SequenceTokens(tails[t++].Sequence, pair.Tokens.AsMemory(common[i], pair.Tokens.Length - 1 - common[i]), WantedLogits.All));
                }

                Forward(work, (index, position, logits) => tallies[index].See(position, logits), stop);
                t = 0;
                return [.. items.Select(item => (IReadOnlyList<ContinuationScore>)[.. item.Select(_ => tallies[t++].Score)])];
            }
            finally
            {
                foreach ((_, InferenceSequence sequence) in tails)
                    sequence.Dispose();
            }
        }
        finally
        {
            foreach (InferenceSequence prefix in prefixes)
                prefix?.Dispose();
        }
    }

    // What this batch's prompts begin with is computed once, and kept for the next batch where that begins so too.
    private void Share(List<Pair[]> items, CancellationToken stop)
    {
        int[] first = items[0][0].Tokens;
        int common = items.Min(item => Math.Min(item.Min(pair => pair.Front - 1), item[0].Tokens.AsSpan().CommonPrefixLength(first)));
        if (_shared is not null && _sharedTokens.Length <= common && common < _sharedTokens.Length + LeastShared && first.AsSpan().StartsWith(_sharedTokens))
            return;
        _shared?.Dispose();
        (_shared, _sharedTokens) = (null, []);
        if (common < LeastShared || items.Count == 1)
            return;
        _shared = _engine.CreateSequence();
        Forward([new SequenceTokens(_shared, first.AsMemory(0, common), WantedLogits.None)], null, stop);
        _sharedTokens = first[..common];
    }

    // In passes of as many rows as the engine and the room for logits take; rows of one sequence stay in order.
    private void Forward(List<SequenceTokens> work, Action<int, int, ReadOnlySpan<float>>? see, CancellationToken stop)
    {
        int vocabulary = _engine.VocabularySize, most = see is null ? _engine.MaxRows : Math.Clamp(LogitsHeld / vocabulary, 1, _engine.MaxRows);
        float[] logits = new float[see is null ? 0 : most * vocabulary];
        List<SequenceTokens> pass = [];
        List<int> places = [];
        int rows = 0;
        for (int index = 0; index < work.Count; index++)
        {
            for (int start = 0; start < work[index].Tokens.Length;)
            {
                int count = Math.Min(work[index].Tokens.Length - start, most - rows);
                pass.Add(new SequenceTokens(work[index].Sequence, work[index].Tokens.Slice(start, count), see is null ? WantedLogits.None : WantedLogits.All));
                places.Add(index);
                (rows, start) = (rows + count, start + count);
                if (rows == most)
                    Flush();
            }
        }

        Flush();

        void Flush()
        {
            if (rows == 0)
                return;
            stop.ThrowIfCancellationRequested();
            int[] before = [.. pass.Select(part => part.Sequence.Position)];
            _engine.Forward([.. pass], see is null ? [] : logits.AsSpan(0, rows * vocabulary));
            Computed += rows;
            for (int p = 0, row = 0; p < pass.Count; p++)
            {
                for (int i = 0; see is not null && i < pass[p].Tokens.Length; i++)
                    see(places[p], before[p] + i, logits.AsSpan((row + i) * vocabulary, vocabulary));
                row += pass[p].Tokens.Length;
            }

            pass.Clear();
            places.Clear();
            rows = 0;
        }
    }

    /// <summary>A prompt with its continuation; the first so many tokens are the prompt's.</summary>
    private readonly record struct Pair(int[] Tokens, int Front);

    /// <summary>Adds a continuation's tokens up as their logits come.</summary>
    private sealed class Tally(Pair pair)
    {
        private double _sum;
        private bool _greedy = true;

        public ContinuationScore Score => new(_sum, _greedy, pair.Tokens.Length - pair.Front);

        // Position's logits are for the token behind it.
        public void See(int position, ReadOnlySpan<float> logits)
        {
            if (position + 1 < pair.Front)
                return;
            int id = pair.Tokens[position + 1];
            _sum += LogProbability.Of(logits, id);
            _greedy &= TensorPrimitives.IndexOfMax(logits) == id;
        }
    }
}
