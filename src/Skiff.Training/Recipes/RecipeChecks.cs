using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Training;

/// <summary>Refuses what no single value of a recipe shows: what is missing, and what contradicts something else.</summary>
internal static class RecipeChecks
{
    // A run's tokens are counted in 64 bits.
    private const double MostTokens = 1e18;

    /// <summary>Checks a recipe; <paramref name="refuse"/> is told the dotted key of what is wrong, and why.</summary>
    public static void Check(Recipe recipe, Func<string, string, InvalidInputException> refuse)
    {
        CheckModel(recipe, refuse);
        CheckData(recipe, refuse);
        CheckLength(recipe, refuse);
        try
        {
            recipe.LearningRateOptions().Check();
        }
        catch (InvalidInputException e)
        {
            throw refuse($"schedule.{KeyOf(e)}", e.Problem);
        }

        CheckAnchors(recipe, refuse);
        if (recipe.Distill is { Loss: Divergence.MeanSquare or Divergence.Cosine, Temperature: not 1 })
            throw refuse("distill.temperature", "must be 1 where logits are compared (mean_square, cosine)");
        if (recipe.Distill is { Cache: not null, TopK: 0 })
            throw refuse("distill.top_k", "must be given with a cache, which keeps so many ids of each token: 64, say");
        if (recipe.RoundTo is { } mix && QuantizationMix.All.All(known => known.Name != mix))
            throw refuse("round_to", $"must be one of {string.Join(", ", QuantizationMix.All.Select(known => known.Name))}, not '{mix}'");
        if (recipe.RoundTo is not null && recipe.Lora is not null)
            throw refuse("round_to", "is for whole matrices, and lora trains none: leave one of them out");
        RecipeStages.Resolve(recipe, refuse);
        if (recipe.Validation.Tokens > 0 && recipe.HeldOut == 0)
            throw refuse("validation.tokens", "held_out is 0, so there is nothing to measure on: leave this away, or hold documents out");
        if (recipe.Checkpoint.Best && recipe.Validation.Tokens == 0)
            throw refuse("checkpoint.best", "without validation no checkpoint is known to be the best: set it to false");
    }

    /// <summary>The key of what a schedule refuses.</summary>
    public static string KeyOf(InvalidInputException refusal) => refusal.Field.Replace(' ', '_').Replace('-', '_');

    private static void CheckModel(Recipe recipe, Func<string, string, InvalidInputException> refuse)
    {
        if (recipe.Model is null && recipe.InitFrom is null)
            throw refuse("model", "is missing: name model, to begin with random weights, or init_from, to continue a model's");
        if (recipe.Model is not null && recipe.InitFrom is not null)
            throw refuse("init_from", "contradicts model: name one of them");
        if (recipe.Model is { Base: null } model && !model.Keys.ContainsKey("model_type") && !model.Keys.ContainsKey("architectures"))
            throw refuse("model.model_type", "is missing: name it, or a base");
        if (recipe.Lora is not null && recipe.InitFrom is null)
            throw refuse("lora", "leaves the weights as they are, and those of model are random: name init_from instead");
        if (recipe.Lora is { Modules.Count: 0 })
            throw refuse("lora.modules", "names no module");
        if (recipe.Lora is not null && recipe.Optimizer.Name == OptimizerKind.Muon)
            throw refuse("optimizer.name", "muon is for whole matrices, and lora trains none: leave it out");
        if (recipe.Tokenizer is not { } tokenizer)
        {
            if (recipe.InitFrom is null)
                throw refuse("tokenizer", "is missing: name a file or folder, or vocab_size to have one trained");
            return;
        }

        // Of a model that is continued, the tokenizer may be its own under another template.
        bool own = recipe.InitFrom is not null && tokenizer.ChatTemplate is not null && tokenizer.VocabSize is null;
        if (tokenizer.Path is null == tokenizer.VocabSize is null && !(own && tokenizer.Path is null))
            throw refuse("tokenizer", "must have either path or vocab_size");
        if (tokenizer.VocabSize is not null && recipe.InitFrom is not null)
            throw refuse("tokenizer.vocab_size", "the weights of init_from know the ids of their own tokenizer only");
        if (tokenizer.SpecialTokens.Count > 0 && tokenizer.VocabSize is null)
            throw refuse("tokenizer.special_tokens", "are for a vocabulary that is trained: name vocab_size, or leave them out");
    }

    private static void CheckAnchors(Recipe recipe, Func<string, string, InvalidInputException> refuse)
    {
        if (recipe.Anchors is not { } anchors)
            return;
        if (anchors.MaxSegment > 0 && anchors.MaxSegment < anchors.AnchorsPerSegment)
            throw refuse("anchors.max_segment", $"{anchors.MaxSegment} is below anchors_per_segment {anchors.AnchorsPerSegment}");
        if (anchors.SegmentsPerGroup == 1)
            throw refuse("anchors.segments_per_group", "a group has two segments or more");
        if (anchors.Kind == AnchorKind.Added && recipe.Lora is not null)
            throw refuse("lora", "leaves the table of embeddings as it is, and an added anchor's row must be learnt: leave it out, or set anchors.kind to endpoint");
        if (anchors.Kind == AnchorKind.Added && recipe.InitFrom is null)
            throw refuse("anchors.kind", "a token is added to a model that is there: name init_from, or set it to endpoint");
    }

    private static void CheckData(Recipe recipe, Func<string, string, InvalidInputException> refuse)
    {
        if (recipe.Data.Count == 0)
            throw refuse("data", "is missing: name at least one corpus");
        HashSet<string> names = [];
        for (int i = 0; i < recipe.Data.Count; i++)
        {
            RecipeData data = recipe.Data[i];
            if (data.Files.Count == 0 || data.Files.Any(file => file.Length == 0))
                throw refuse($"data.{i}.files", data.Files.Count == 0 ? "names no file" : "one of the names is empty");
            if (data.Name.Length == 0)
                throw refuse($"data.{i}.name", "is missing: its file has no name to take");
            if (!names.Add(data.Name))
                throw refuse($"data.{i}.name", $"'{data.Name}' is the name of another corpus too: give this one a name of its own");
            if (data.Weight is null != recipe.Data[0].Weight is null)
                throw refuse($"data.{i}.weight", "some corpora have a weight and some have none: give it to all or to none");
        }

        if (recipe.Data.All(data => data.Weight == 0))
            throw refuse("data", "every weight is 0");
    }

    private static void CheckLength(Recipe recipe, Func<string, string, InvalidInputException> refuse)
    {
        if (recipe.Tokens is null && recipe.Steps is null)
            throw refuse("tokens", "is missing: name tokens or steps");
        if (recipe.Tokens is not null && recipe.Steps is not null)
            throw refuse("steps", "contradicts tokens: name one of them (null takes the other away)");
        if ((double)recipe.TotalSteps * recipe.TokensPerStep > MostTokens)
            throw refuse(recipe.Steps is null ? "tokens" : "steps", $"{recipe.TotalSteps} steps of {recipe.TokensPerStep} tokens are over 10^18 tokens");
        if (recipe.MicroBatchSize > 0 && recipe.BatchSize % recipe.MicroBatchSize != 0)
            throw refuse("micro_batch_size", $"{recipe.MicroBatchSize} does not divide batch_size {recipe.BatchSize}");
    }
}
