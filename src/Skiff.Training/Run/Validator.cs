using Skiff.Models;

namespace Skiff.Training;

/// <summary>
/// Measures on the held-out documents: the same rows each time. Bits per byte count the bytes of the text that the targets stand
/// for, so that models with different tokenizers compare. An added anchor is no text: it is no target here.
/// </summary>
internal sealed class Validator
{
    private readonly IReadOnlyList<DataSource> _sources;
    private readonly Recipe _recipe;
    private readonly int[] _bytes;
    private readonly long _heldOut;
    private readonly int? _anchor;

    /// <summary>Looks how much is held out.</summary>
    public Validator(IReadOnlyList<DataSource> sources, Recipe recipe, Tokenizer tokenizer, int? anchor)
    {
        _anchor = anchor;
        // Of a small corpus nothing may be held out: the others are measured on.
        _sources = [.. sources.Where(source => source.Shards.Count(DataSplit.HeldOut, recipe.HeldOut).Tokens > 0)];
        _recipe = recipe;
        _heldOut = _sources.Sum(source => source.Shards.Count(DataSplit.HeldOut, recipe.HeldOut).Tokens);
        _bytes = [.. Enumerable.Range(0, tokenizer.VocabularySize).Select(id => tokenizer.IsSpecial(id) ? 0 : tokenizer.BytesOf(id).Length)];
    }

    /// <summary>Tokens that are measured on; 0 where nothing is held out.</summary>
    public long Tokens => Math.Min(_recipe.Validation.Tokens, _heldOut);

    /// <summary>Measures the parameters behind a tape.</summary>
    public ValidationMetrics Measure(DecoderTape tape, int time, long step, CancellationToken stop)
    {
        // The mixture as the documents are, whatever the stages of training weigh.
        DataLoader loader = new(_sources, new DataLoaderOptions
        {
            Seed = _recipe.Seed,
            Split = DataSplit.HeldOut,
            HeldOutShare = _recipe.HeldOut,
            Stages = [new DataStage { ContextLength = time }],
        });
        int[] tokens = new int[tape.Tokens], targets = new int[tape.Tokens], starts = new int[tape.Tokens];
        double loss = 0;
        long count = 0, bytes = 0;
        int rows = (int)Math.Min(int.MaxValue, Math.Max(1, Tokens / time)), perPass = tape.Tokens / time;
        for (int row = 0; row < rows; row += perPass)
        {
            stop.ThrowIfCancellationRequested();
            loader.Next(tokens, targets, starts);
            // Rows beyond the last count for nothing.
            targets.AsSpan(Math.Min(perPass, rows - row) * time).Fill(DataLoader.NoTarget);
            if (_anchor is { } anchor)
                targets.AsSpan().Replace(anchor, DataLoader.NoTarget);
            tape.FirstRow = -1;
            tape.Load(tokens, targets, starts);
            tape.Forward(gradients: false);
            loss += tape.Loss.Sum;
            foreach (int target in targets)
            {
                if (target == DataLoader.NoTarget)
                    continue;
                count++;
                bytes += _bytes[target];
            }
        }

        return new ValidationMetrics(step, count, loss / Math.Max(1, count), loss / Math.Log(2) / Math.Max(1, bytes));
    }
}
