namespace Skiff.Cli;

/// <summary><c>skiff tokenizer</c>: what is done with tokenizers rather than models.</summary>
internal static class TokenizerVerb
{
    public static Verb Create() => new("tokenizer", "Makes tokenizers.") { TokenizerTrainVerb.Create() };
}
