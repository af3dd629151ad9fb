using System.Text.Json.Nodes;
using Skiff.Inference;
using Skiff.Models;

namespace Skiff.Evaluation;

/// <summary>Asks an engine's model the questions of the episodes, prompts once and their questions behind them.</summary>
internal sealed class AnchorItems
{
    /// <summary>Questions of a prompt: half of them about places, half about names.</summary>
    public const int Questions = 8;

    /// <summary>Tokens of a demonstration, at least.</summary>
    private const int PassageLength = 95;

    private readonly InferenceEngine _engine;
    private readonly Tokenizer _tokenizer;
    private readonly Episodes _episodes;

    public AnchorItems(InferenceEngine engine, Tokenizer tokenizer, Passages passages) => (_engine, _tokenizer, _episodes) = (engine, tokenizer, new Episodes(passages));

    /// <summary>The items of a prompt, the same for every model with this tokenizer.</summary>
    public ChoiceItem[] Prompt(int prompt) =>
        _episodes.Items(new SplitMix64((ulong)(1000 + prompt)), Questions / 2, PassageLength, sentence => _tokenizer.Encode(" " + sentence, addSpecial: false).Length);

    /// <summary>How many questions are answered right behind so many demonstrations: a digit an item.</summary>
    public string Ask(int prompts, int shots, CancellationToken stop)
    {
        char[] answers = new char[prompts * Questions];
        for (int p = 0; p < prompts; p++)
        {
            stop.ThrowIfCancellationRequested();
            ChoiceItem[] items = Prompt(p);
            int[] prefix = Prefix(items[0], shots);
            using InferenceSequence sequence = Read(prefix);
            Ask(sequence, items, answers.AsSpan(p * Questions, Questions));
        }

        return new string(answers);
    }

    /// <summary>The same, with what policies leave of five demonstrations, computed under full attention: by policy and entries.</summary>
    public Dictionary<(SelectionPolicy Policy, int Percent), string> Compressed(int prompts, IReadOnlyList<int> percents, AnchorConfig separators, CancellationToken stop)
    {
        Dictionary<(SelectionPolicy, int), char[]> answers = [];
        foreach (SelectionPolicy policy in Enum.GetValues<SelectionPolicy>())
        {
            foreach (int percent in percents)
                answers[(policy, percent)] = new char[prompts * Questions];
        }

        for (int p = 0; p < prompts; p++)
        {
            stop.ThrowIfCancellationRequested();
            ChoiceItem[] items = Prompt(p);
            int[] prefix = Prefix(items[0], Episodes.Shots);
            SegmentEnds ends = new(separators);
            using CompressiblePrefix whole = new(_engine, prefix, [.. prefix.Select(ends.Next)]);
            foreach (((SelectionPolicy policy, int percent), char[] own) in answers)
            {
                using InferenceSequence kept = whole.Keep(policy, Math.Max(1, (int)Math.Round(prefix.Length * BudgetOf(percent))));
                Ask(kept, items, own.AsSpan(p * Questions, Questions));
            }
        }

        return answers.ToDictionary(pair => pair.Key, pair => new string(pair.Value));
    }

    /// <summary>A share of the entries: 6 stands for 6.25 %.</summary>
    public static double BudgetOf(int percent) => percent == 6 ? 0.0625 : percent == 12 ? 0.125 : percent / 100.0;

    /// <summary>How many names are told right, so many sentences back and so many in a sentence: right ones of so many.</summary>
    public JsonObject Names(int each, CancellationToken stop)
    {
        JsonObject result = [];
        foreach (int distance in new[] { 1, 2, 4, 8, 16 })
        {
            foreach (int together in new[] { 1, 2, 4 })
            {
                stop.ThrowIfCancellationRequested();
                SplitMix64 random = new((ulong)(distance * 10 + together));
                char[] answers = new char[1];
                int right = 0;
                for (int i = 0; i < each; i++)
                {
                    ChoiceItem item = _episodes.NameItem(random, distance, together);
                    item = item with { Question = " " + item.Question };
                    int[] prefix = Joined(_tokenizer.Encode(string.Join(' ', item.Context)), item.Question)[..^_tokenizer.Encode(item.Question, addSpecial: false).Length];
                    using InferenceSequence sequence = Read(prefix);
                    Ask(sequence, [item], answers);
                    right += answers[0] - '0';
                }

                result[$"{distance}/{together}"] = right;
            }
        }

        return result;
    }

    /// <summary>What a prompt's five demonstrations take: entries and bytes, when they are read and at the highest.</summary>
    public JsonObject Cache(int prompts)
    {
        double tokens = 0, entries = 0, bytes = 0, peak = 0, least = 1, most = 0;
        for (int p = 0; p < prompts; p++)
        {
            int[] prefix = Prefix(Prompt(p)[0], Episodes.Shots);
            using InferenceSequence sequence = Read(prefix, taken => peak = Math.Max(peak, taken));
            int kept = CacheExplanation.Of(_engine, prefix).Kept;
            (tokens, entries, bytes) = (tokens + prefix.Length, entries + kept, bytes + sequence.ByteLength);
            double saved = 1 - (double)kept / prefix.Length;
            (least, most) = (Math.Min(least, saved), Math.Max(most, saved));
        }

        return new JsonObject
        {
            ["tokens"] = tokens / prompts,
            ["entries"] = entries / prompts,
            ["bytes"] = bytes / prompts,
            ["peak_bytes"] = peak,
            ["least_saved"] = least,
            ["most_saved"] = most,
            ["entry_bytes"] = _engine.CacheBytesPerPosition,
        };
    }

    /// <summary>The tokens of so many demonstrations, anchors between and behind them; of none, the token that begins a text.</summary>
    public int[] Prefix(ChoiceItem item, int shots)
    {
        if (shots == 0)
            return [_tokenizer.EosId ?? 0];
        int question = _tokenizer.Encode(item.Question, addSpecial: false).Length;
        return Joined(_tokenizer.Encode(string.Concat(item.Context.Take(shots))), item.Question)[..^question];
    }

    /// <summary>Reads a prefix, and keeps what later positions see.</summary>
    public InferenceSequence Read(int[] prefix, Action<long>? taken = null)
    {
        InferenceSequence sequence = _engine.CreateSequence(0);
        for (int start = 0; start < prefix.Length; start += _engine.MaxRows)
        {
            _engine.Forward([new SequenceTokens(sequence, prefix.AsMemory(start, Math.Min(_engine.MaxRows, prefix.Length - start)), WantedLogits.None)], []);
            taken?.Invoke(sequence.ByteLength);
        }

        sequence.Trim();
        return sequence;
    }

    private int[] Joined(int[] prefix, string question)
    {
        int[] ids = [.. prefix, .. _tokenizer.Encode(question, addSpecial: false)];
        return _engine.Config.Anchors is { } anchors ? AnchorInserter.Insert(anchors, ids, _tokenizer.EosId) : ids;
    }

    // All questions in one pass. An answer is known by its first token.
    private void Ask(InferenceSequence prefix, ChoiceItem[] items, Span<char> answers)
    {
        int vocabulary = _engine.VocabularySize;
        InferenceSequence[] forks = [.. items.Select(_ => prefix.Fork())];
        float[] logits = new float[items.Length * vocabulary];
        _engine.Forward([.. items.Zip(forks).Select(pair => new SequenceTokens(pair.Second, _tokenizer.Encode(pair.First.Question, addSpecial: false)))], logits);
        for (int i = 0; i < items.Length; i++)
        {
            int[] choices = [.. items[i].Choices.Select(choice => _tokenizer.Encode(choice, addSpecial: false)[0])];
            int offset = i * vocabulary, best = Enumerable.Range(0, choices.Length).MaxBy(c => logits[offset + choices[c]]);
            answers[i] = best == items[i].Gold ? '1' : '0';
            forks[i].Dispose();
        }
    }
}
