namespace Skiff.Inference;

/// <summary>Guesses how a text goes on, cheaply.</summary>
public interface IDrafter : IDisposable
{
    /// <summary>The tokens that may follow.</summary>
    /// <param name="tokens">All tokens so far, prompt included, at least one.</param>
    /// <param name="drafted">Room for the guesses.</param>
    /// <returns>How many there are; 0 for no idea.</returns>
    int Draft(ReadOnlySpan<int> tokens, Span<int> drafted);
}
