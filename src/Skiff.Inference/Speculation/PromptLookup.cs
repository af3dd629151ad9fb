namespace Skiff.Inference;

/// <summary>
/// Guesses that what followed the last few tokens when they last occurred follows them again (Saxena 2023, prompt lookup decoding): for answers
/// that quote their prompt, code, and texts that repeat themselves.
/// </summary>
public sealed class PromptLookup : IDrafter
{
    // Tokens that must occur again, longest first. A single one says little, but a guess costs little too.
    private const int Longest = 4, Shortest = 2;

    /// <inheritdoc/>
    public int Draft(ReadOnlySpan<int> tokens, Span<int> drafted)
    {
        for (int length = Math.Min(Longest, tokens.Length - 1); length >= Shortest; length--)
        {
            // The end itself does not count, and something must follow.
            int at = tokens[..^1].LastIndexOf(tokens[^length..]);
            if (at < 0)
                continue;
            ReadOnlySpan<int> following = tokens[(at + length)..];
            // Behind the end it goes round: that is how a text that repeats itself goes on.
            for (int i = 0; i < drafted.Length; i++)
                drafted[i] = i < following.Length ? following[i] : drafted[i - following.Length];
            return drafted.Length;
        }

        return 0;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
    }
}
