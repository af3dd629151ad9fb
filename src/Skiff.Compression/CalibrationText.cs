using Skiff.Inference;
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Compression;

/// <summary>Samples of a text that a model is looked at with.</summary>
internal static class CalibrationText
{
    /// <summary>Pieces of one length, spread evenly over the text; an unfilled last piece is left out.</summary>
    /// <exception cref="InvalidInputException">The text fills none.</exception>
    public static Memory<int>[] Samples(Model model, string text, int samples, int length)
    {
        length = Math.Min(length, model.Config.MaxPositionEmbeddings);
        int[] ids = ImportanceCollector.Tokens(model.Tokenizer, text);
        if (ids.Length < length)
            throw new InvalidInputException(text, "text", $"{ids.Length} tokens are too few to tell what matters: give at least {length}, better a thousand times as many");
        int available = ids.Length / length, count = Math.Min(samples, available);
        return [.. Enumerable.Range(0, count).Select(i => ids.AsMemory((int)((long)i * available / count * length), length))];
    }
}
