using Skiff.Tensors;

namespace Skiff.Inference;

/// <summary>
/// Lets the model check several guessed tokens in one pass over its weights, which takes little longer than one token. The model's own token is
/// drawn at each position by the ordinary sampler, and a guess is right where it is that token. So the text is token for token the one without
/// guesses, whatever the sampler, and its distribution is the model's. A guess x is right with probability p(x), as in speculative sampling
/// (Leviathan et al. 2023, algorithm 1) for a draft that is sure of x.
/// </summary>
/// <param name="drafter">Guesses; stays the caller's.</param>
/// <param name="mostTokens">Guesses of a pass at most.</param>
public sealed class Speculation(IDrafter drafter, int mostTokens = Speculation.UsualTokens)
{
    /// <summary>Guesses of a pass at most, unless told otherwise.</summary>
    public const int UsualTokens = 8;

    private readonly int[] _drafted = new int[mostTokens is >= 1 and <= 256 ? mostTokens : throw new InvalidInputException("speculation", "draft-tokens", $"must lie from 1 to 256, not {mostTokens}")];
    private int _next = Math.Min(4, mostTokens);

    /// <summary>Guesses so far.</summary>
    public long Drafted { get; private set; }

    /// <summary>How many of them were right.</summary>
    public long Accepted { get; private set; }

    /// <summary>Guesses of a pass at most.</summary>
    public int MostTokens => _drafted.Length;

    /// <summary>The next guesses, as many as went well lately.</summary>
    /// <param name="tokens">All tokens so far.</param>
    /// <param name="room">How many can be of use.</param>
    internal ReadOnlySpan<int> Draft(ReadOnlySpan<int> tokens, int room)
    {
        int count = drafter.Draft(tokens, _drafted.AsSpan(0, Math.Max(0, Math.Min(_next, room))));
        return _drafted.AsSpan(0, count);
    }

    /// <summary>Takes note of how many of some guesses were right.</summary>
    internal void Note(int drafted, int accepted)
    {
        Drafted += drafted;
        Accepted += accepted;
        // Two more where all were right, else as many as were and one to try.
        if (drafted > 0)
            _next = Math.Min(MostTokens, accepted == drafted ? Math.Max(_next, drafted + 2) : accepted + 1);
    }

    /// <summary>Refuses a model that cannot forget its last tokens.</summary>
    internal static void CheckTakesBack(InferenceEngine engine)
    {
        if (engine.Plan.StateBytes > 0)
            throw new InvalidInputException("speculation", "model", "has recurrent blocks, which cannot take back a token that was guessed wrong: generate without guesses");
    }
}
