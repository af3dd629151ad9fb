namespace Skiff.Models;

/// <summary>A trained tokenizer and what it was trained on.</summary>
/// <param name="Tokenizer">The tokenizer; the first special token begins and ends its texts.</param>
/// <param name="Merges">Merges learned.</param>
/// <param name="Bytes">Bytes of text, as UTF-8, special tokens included.</param>
/// <param name="PreTokens">Pre-tokens counted.</param>
/// <param name="DistinctPreTokens">Different pre-tokens among them.</param>
/// <param name="Tokens">Tokens the training text comes to, special tokens included.</param>
public sealed record BpeTrainingResult(Tokenizer Tokenizer, int Merges, long Bytes, long PreTokens, long DistinctPreTokens, long Tokens)
{
    /// <summary>How much text a token carries, on the training text.</summary>
    public double BytesPerToken => Tokens == 0 ? 0 : (double)Bytes / Tokens;
}
