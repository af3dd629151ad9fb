using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>
/// The byte-level pre-tokenizers by the names of <c>tokenizer.ggml.pre</c>. The expressions are those the families
/// publish in their <c>tokenizer.json</c>.
/// </summary>
internal static class KnownPreTokenizers
{
    private const string DeepSeekLetters =
        @"\s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛὝὟ-ώᾀ-ᾴᾶ-ᾼιῂ-ῄῆ-ῌῐ-ΐῖ-Ίῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤΩℨK-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃]+";

    private const string DeepSeekHan = "[一-龥ࠀ-一가-퟿]+";

    private const string Tekken =
        @"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    private static readonly (string Name, Func<PreTokenizer> Build)[] s_families =
    [
        ("gpt-2", Gpt2), ("phi-2", Gpt2), ("olmo", Gpt2), ("mpt", Gpt2), ("jais", Gpt2), ("trillion", Gpt2), ("exaone", Gpt2Digits),
        ("smollm", Gpt2Digits), ("starcoder", Gpt2Digits), ("refact", Gpt2Digits), ("command-r", Gpt2Digits),
        ("codeshell", Gpt2Digits), ("minerva-7b", Gpt2Digits),
        ("llama-bpe", () => Split(SplitPatterns.Llama3)), ("llama3", () => Split(SplitPatterns.Llama3)), ("llama-v3", () => Split(SplitPatterns.Llama3)),
        ("dolma2", () => Split(SplitPatterns.Llama3)), ("dbrx", () => Split(SplitPatterns.Llama3)), ("smaug-bpe", () => Split(SplitPatterns.Llama3)),
        ("qwen2", () => Split(SplitPatterns.Qwen2)), ("stablelm2", () => Split(SplitPatterns.Qwen2)), ("deepseek-r1-qwen", () => Split(SplitPatterns.Qwen2)),
        ("deepseek-llm", () => Split("[\r\n]", DeepSeekLetters, @"\s?[!-/:-~！-／：-～‘-‟　-。]+", @"\s+$", DeepSeekHan, @"\p{N}+")),
        ("deepseek-coder", () => Split("[\r\n]", @"\s?\p{L}+", @"\s?\p{P}+", DeepSeekHan, @"\p{N}")),
        ("falcon", () => Split(@"[\p{P}\$\+<=>\^~\|`]+", SplitPatterns.Gpt2, "[0-9][0-9][0-9]")),
        ("default", () => Split(@"[\p{P}\$\+<=>\^~\|]+", SplitPatterns.Gpt2, @"\p{N}+", "[0-9][0-9][0-9]")),
        ("tekken", () => Split(Tekken)),
    ];

    /// <summary>The decoder of every byte-level vocabulary.</summary>
    public static TokenDecoder ByteLevelDecoder { get; } = new([new DecoderStep("ByteLevel")], isSequence: false);

    /// <summary>The pre-tokenizer of a family.</summary>
    /// <exception cref="InvalidInputException">The name is not known.</exception>
    public static PreTokenizer Named(string name, string source, string field)
    {
        foreach ((string known, Func<PreTokenizer> build) in s_families)
        {
            if (known == name)
                return build();
        }

        throw new InvalidInputException(source, field, $"pre-tokenizer '{name}' is not known; known are {string.Join(", ", s_families.Select(f => f.Name))}");
    }

    /// <summary>The name of the family that cuts as this does, or null.</summary>
    public static string? NameOf(PreTokenizer? cut) => cut is null
        ? null
        : s_families.FirstOrDefault(f => Shape(f.Build()) == Shape(cut)).Name;

    /// <summary>Expressions one after the other, then bytes.</summary>
    public static PreTokenizer Split(params string[] expressions) => new PreTokenizerSequence(
    [
        .. expressions.Select(e => new SplitPreTokenizer(TextPattern.Expression(e, "pre-tokenizer", "pattern"), SplitBehavior.Isolated, invert: false)),
        new ByteLevelPreTokenizer(addPrefixSpace: false, useRegex: false),
    ]);

    private static ByteLevelPreTokenizer Gpt2() => new(addPrefixSpace: false, useRegex: true);

    private static PreTokenizerSequence Gpt2Digits() => new([new ClassPreTokenizer("Digits", SplitBehavior.Isolated), Gpt2()]);

    // Two forms that cut alike: a kept match is the same as an inverted, removed gap where the expression takes all text.
    private static string Shape(PreTokenizer cut) => cut switch
    {
        PreTokenizerSequence sequence => string.Join('\n', sequence.Parts.Select(Shape)),
        SplitPreTokenizer split when !split.Pattern.IsRegex => "?",
        SplitPreTokenizer { Behavior: SplitBehavior.Isolated } split => split.Pattern.Text,
        SplitPreTokenizer { Behavior: SplitBehavior.Removed, Invert: true } split when SplitPatterns.Find(split.Pattern.Text) != KnownPattern.None => split.Pattern.Text,
        ByteLevelPreTokenizer { AddPrefixSpace: false } bytes => bytes.UseRegex ? "bytes+" : "bytes",
        ClassPreTokenizer { Type: "Digits", Behavior: SplitBehavior.Isolated } => "digits",
        _ => "?",
    };
}
