using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Training;

/// <summary>The tokenizer of a run: a file's, that of the model that is continued, or one trained on the recipe's own texts.</summary>
internal static class RunTokenizer
{
    /// <summary>Finds or trains it.</summary>
    /// <exception cref="InvalidInputException">There is none, or it cannot be read or trained.</exception>
    public static Tokenizer Find(
        Recipe recipe, string source, Model? start, string? trained, string? trainTo, TrainingEvents events, CancellationToken stop)
    {
        Tokenizer tokenizer = recipe.Tokenizer switch
        {
            { Path: { } path } => Tokenizer.Load(path),
            { VocabSize: not null } when trained is not null => Tokenizer.Load(trained),
            { VocabSize: { } size } => trainTo is null ? ByteLevelTokenizer.Create(size) : Train(recipe, source, size, trainTo, events, stop),
            _ => start is { HasTokenizer: true } ? start.Tokenizer
                : throw new InvalidInputException(source, "tokenizer", $"is missing, and {recipe.InitFrom} comes with none: name the file or folder of the tokenizer it was trained with"),
        };
        return recipe.Tokenizer?.ChatTemplate is { } template ? new Tokenizer(tokenizer.Spec with { ChatTemplate = ReadTemplate(template, source) }) : tokenizer;
    }

    // Of the documents that are trained on: what is held out must be news to the tokenizer too.
    private static Tokenizer Train(Recipe recipe, string source, int size, string folder, TrainingEvents events, CancellationToken stop)
    {
        RecipeData[] texts = [.. recipe.Data.Where(data => data.Format == DocumentFormat.Text)];
        if (texts.Length == 0)
            throw new InvalidInputException(source, "tokenizer.vocab_size", "a tokenizer is trained on texts, and all data are conversations: name a tokenizer");
        events.Note?.Invoke($"training a tokenizer of {size} entries");
        BpeTrainingOptions options = new() { VocabularySize = size };
        options = options with { SpecialTokens = [.. options.SpecialTokens, .. recipe.Tokenizer!.SpecialTokens] };
        string[] files = [.. texts.SelectMany(data => data.Files)];
        try
        {
            BpeTrainingResult result = BpeTrainer.TrainOnTexts(take => Array.ForEach(texts, data => Read(data, recipe.HeldOut, source, take, stop)), options, cancellation: stop);
            AtomicFolder.Write(folder, result.Tokenizer.Save);
        }
        catch (InvalidInputException e) when (e.Input == "text")
        {
            throw e.From(files.Length == 1 ? files[0] : $"{files[0]} and {files.Length - 1} more");
        }

        return Tokenizer.Load(folder);
    }

    private static void Read(RecipeData data, double share, string source, TakeText take, CancellationToken stop)
    {
        HeldOut part = new(DataSplit.Training, share);
        long documents = 0, kept = 0;
        DocumentGatherer gatherer = new(0, () => new DocumentBatch(), batch =>
        {
            int start = 0;
            foreach (int end in batch.TextEnds)
            {
                ReadOnlySpan<byte> text = batch.Text.AsSpan(start, end - start);
                (start, documents) = (end, documents + 1);
                if (!part.Holds(HeldOut.Hash(text)))
                    continue;
                kept++;
                take(text);
            }
        });
        DocumentReader.Read(DocumentReader.Find(data.Files, data.Format), data.Format, gatherer, stop);
        if (kept == 0 && documents > 0)
            throw TrainingData.AllHeldOut(source, data.Name, documents);
    }

    private static string ReadTemplate(string name, string source)
    {
        if (name == "chatml")
            return ChatTemplate.ChatMl;
        try
        {
            return File.ReadAllText(name);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new InvalidInputException(source, "tokenizer.chat_template", $"'{name}' is neither chatml nor a file that can be read: {e.Message}", e);
        }
    }
}
