namespace Skiff.Models;

/// <summary>The keys of a vocabulary in a GGUF file.</summary>
internal static class GgufKeys
{
    public const string Model = "tokenizer.ggml.model";
    public const string Pre = "tokenizer.ggml.pre";
    public const string Tokens = "tokenizer.ggml.tokens";
    public const string Scores = "tokenizer.ggml.scores";
    public const string TokenType = "tokenizer.ggml.token_type";
    public const string Merges = "tokenizer.ggml.merges";
    public const string Bos = "tokenizer.ggml.bos_token_id";
    public const string Eos = "tokenizer.ggml.eos_token_id";
    public const string Unknown = "tokenizer.ggml.unknown_token_id";
    public const string Pad = "tokenizer.ggml.padding_token_id";
    public const string Separator = "tokenizer.ggml.seperator_token_id";
    public const string AddBos = "tokenizer.ggml.add_bos_token";
    public const string AddEos = "tokenizer.ggml.add_eos_token";
    public const string AddSpacePrefix = "tokenizer.ggml.add_space_prefix";
    public const string RemoveExtraSpaces = "tokenizer.ggml.remove_extra_whitespaces";
    public const string CharsMap = "tokenizer.ggml.precompiled_charsmap";
    public const string ChatTemplate = "tokenizer.chat_template";
}
