using System.Security.Cryptography;
using System.Text;
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Training;

/// <summary>A recipe's corpora as token shards. Runs side by side share them: they lie in <c>tokens</c> beside the run's folder.</summary>
internal sealed class TrainingData : IDisposable
{
    private TrainingData(IReadOnlyList<DataSource> sources) => Sources = sources;

    /// <summary>The corpora in the recipe's order.</summary>
    public IReadOnlyList<DataSource> Sources { get; }

    /// <summary>Tokenises what is not tokenised yet.</summary>
    /// <exception cref="InvalidInputException">A file cannot be used, or a corpus is empty.</exception>
    public static TrainingData Build(Recipe recipe, string source, Tokenizer tokenizer, AnchorConfig? anchors, TrainingEvents events, CancellationToken stop)
    {
        string place = Path.Combine(Path.GetDirectoryName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(recipe.Output))) ?? ".", "tokens");
        List<DataSource> sources = [];
        try
        {
            foreach (RecipeData data in recipe.Data)
            {
                // How a conversation begins and ends is its template's business.
                bool text = data.Format == DocumentFormat.Text;
                TokenShardOptions own = new() { Format = data.Format, BeginWithBos = text && tokenizer.BosId is not null, EndWithEos = text && tokenizer.EosId is not null, Anchors = text && anchors?.AddedId is not null ? anchors : null };
                string folder = Path.Combine(place, KeyOf(data, tokenizer, own));
                TokenShardResult result = TokenShards.Build(data.Files, tokenizer, folder, own, new Told(data.Name, events), stop);
                if (result.Damage is { } damage)
                    events.Note?.Invoke($"{damage}; it was made anew");
                TokenCount train = result.Shards.Count(DataSplit.Training, recipe.HeldOut), held = result.Shards.Count(DataSplit.HeldOut, recipe.HeldOut);
                sources.Add(new DataSource(data.Name, result.Shards));
                events.Note?.Invoke($"data {data.Name}: {train.Documents} documents, {train.Tokens} tokens to train on, {held.Documents} documents, {held.Tokens} tokens held out");
                if (train.Tokens == 0)
                    throw AllHeldOut(source, data.Name, held.Documents);
            }

            return new TrainingData(sources);
        }
        catch
        {
            sources.ForEach(built => built.Shards.Dispose());
            throw;
        }
    }

    /// <summary>The special token that ends the assistant's last turn in the conversations, or null where there is none.</summary>
    public int? TurnEnd(Tokenizer tokenizer)
    {
        TokenShards? chats = Sources.FirstOrDefault(source => source.Shards.IsMasked)?.Shards;
        int? last = chats?.ReadTargets(0).LastOrDefault(target => target != DataLoader.NoTarget, DataLoader.NoTarget);
        return last is { } id and not DataLoader.NoTarget && tokenizer.IsSpecial(id) ? id : null;
    }

    internal static InvalidInputException AllHeldOut(string source, string name, long documents) =>
        new(source, $"data.{name}", $"all {documents} documents are held out: lower held_out, or give more documents");

    public void Dispose()
    {
        foreach (DataSource source in Sources)
            source.Shards.Dispose();
    }

    // Where to look; whether what is there still fits is found out by its content.
    private static string KeyOf(RecipeData data, Tokenizer tokenizer, TokenShardOptions options)
    {
        string text = string.Join('\n', data.Files.Select(Path.GetFullPath)) + $"\n{Convert.ToHexString(ShardKey.OfTokenizer(tokenizer))} {options.Format} {options.BeginWithBos} {options.EndWithEos} {options.Anchors?.ToJson().ToJsonString()}";
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)).AsSpan(0, 8));
    }

    private sealed class Told(string name, TrainingEvents events) : IProgress<TokenShardProgress>
    {
        public void Report(TokenShardProgress value) => events.Tokenizing?.Invoke(name, value);
    }
}
