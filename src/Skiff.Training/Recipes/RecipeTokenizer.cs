using System.ComponentModel.DataAnnotations;

namespace Skiff.Training;

/// <summary>What turns text into ids: a file, or one to be trained. In a recipe a text alone is its <see cref="Path"/>.</summary>
public sealed record RecipeTokenizer
{
    /// <summary>A tokenizer's file, or a folder with one.</summary>
    public string? Path { get; init; }

    /// <summary>Entries of a byte-level BPE vocabulary to be trained on the recipe's data.</summary>
    [Range(257, 1 << 24)]
    public int? VocabSize { get; init; }

    /// <summary>Tokens that stand for themselves in a vocabulary to be trained, beside the one that ends a text.</summary>
    public IReadOnlyList<string> SpecialTokens { get; init; } = [];

    /// <summary>A file with the chat template to use in place of the tokenizer's own, or <c>chatml</c>; the trained model keeps it.</summary>
    public string? ChatTemplate { get; init; }
}
