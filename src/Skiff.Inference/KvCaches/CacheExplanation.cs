using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Inference;

/// <summary>What a cache has kept of a text and what it has dropped, token by token, in blocks without a window of the model's own.</summary>
/// <param name="Tokens">One for each position.</param>
/// <param name="EntryBytes">Bytes of an entry in all these blocks.</param>
public sealed record CacheExplanation(IReadOnlyList<ExplainedToken> Tokens, long EntryBytes)
{
    /// <summary>Positions that the next one may see.</summary>
    public int Kept => Tokens.Count(token => token.DroppedAt is null);

    /// <summary>Looks what an engine's rule makes of a text.</summary>
    /// <param name="engine">Whose caches.</param>
    /// <param name="ids">The text, as it went through the engine.</param>
    public static CacheExplanation Of(InferenceEngine engine, ReadOnlySpan<int> ids)
    {
        EnginePlan plan = engine.Plan;
        int[] blocks = [.. Enumerable.Range(0, engine.Config.NumHiddenLayers).Where(b => engine.Config.Layers[b] is { Kind: LayerKind.Attention, SlidingWindow: 0 })];
        if (blocks.Length == 0)
            throw new InvalidInputException("engine", "cache", "every block has a window of its own: there is nothing to choose");
        VisibilityWalk walk = new(plan.Rules[plan.RuleOf(blocks[0])]);
        SegmentMarker? marker = plan.Rules[plan.RuleOf(blocks[0])].HasAnchors ? new SegmentMarker(plan.Anchors!) : null;
        ExplainedToken[] tokens = new ExplainedToken[ids.Length];
        List<int> far = [];
        int near = 0, list = 0;
        for (int i = 0; i < ids.Length; i++)
        {
            bool closes = marker is not null && marker.Next(ids[i]);
            walk.Step(closes);
            tokens[i] = new ExplainedToken(i, ids[i], closes, CachePlace.Near, null);
            far.AddRange(walk.Added);
            foreach (int position in walk.Added.Skip(walk.AddedAgain))
                tokens[position] = tokens[position] with { Place = closes ? CachePlace.Anchor : CachePlace.Sink };

            for (; near < walk.NextNear; near++)
            {
                if (tokens[near].Place == CachePlace.Near)
                    tokens[near] = tokens[near] with { DroppedAt = i };
            }

            for (; list < walk.NextFar; list++)
            {
                int position = far[list];
                if (!walk.Added.Take(walk.AddedAgain).Contains(position))
                    tokens[position] = position < near ? tokens[position] with { DroppedAt = i } : tokens[position] with { Place = CachePlace.Near };
            }
        }

        return new CacheExplanation(tokens, blocks.Sum(b => plan.ShapeOf(engine.Config.Layers[b]).PositionBytes));
    }
}

/// <summary>A token and its entry.</summary>
/// <param name="Position">From 0.</param>
/// <param name="Id">The token.</param>
/// <param name="Closes">Whether it closed a segment.</param>
/// <param name="Place">As what it is, or was, kept.</param>
/// <param name="DroppedAt">The position behind which it was dropped; null while it is kept.</param>
public sealed record ExplainedToken(int Position, int Id, bool Closes, CachePlace Place, int? DroppedAt);

/// <summary>As what a cache keeps a position.</summary>
public enum CachePlace
{
    /// <summary>It is near: in the window, the open segment, or among all where none is dropped.</summary>
    Near,

    /// <summary>It is one of the first.</summary>
    Sink,

    /// <summary>It stands for its segment.</summary>
    Anchor,
}
