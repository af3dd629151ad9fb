using System.CommandLine;
using System.CommandLine.Parsing;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using Skiff.Inference;
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Cli;

/// <summary><c>skiff generate</c>: continues a prompt.</summary>
internal static class GenerateVerb
{
    private const int UsualTokens = 256;

    private static readonly SamplingOptions s_defaults = new();

    public static Verb Create()
    {
        Flagset flags = new();
        Verb verb = new("generate", "Continue a prompt, printing the text as it grows.")
        {
            Examples =
            [
                "skiff generate my-model --prompt \"Once upon a time\" --max-tokens 100 --seed 1",
                "skiff generate model.gguf --prompt-file story.txt --temperature 0.7 --top-p 0.9 --stop \"THE END\"",
                "skiff generate model.gguf --prompt-file manual.txt --prompt-cache manual.cache --lookup",
                "skiff generate anchored --prompt \"Tom had a dog. It ran.\" --max-tokens 20 --explain-cache",
                "skiff generate stories260K.bin --tokenizer tok512.bin --sampler llama2c --seed 42 --steps 200 --raw",
            ],
        };
        verb.Arguments.Add(flags.Model);
        foreach (Option option in flags.All)
            verb.Options.Add(option);
        verb.Validators.Add(flags.Check);
        return verb.Computes((parse, stop) => Run(parse, flags, stop));
    }

    private static int Run(ParseResult parse, Flagset flags, CancellationToken stop)
    {
        Stopwatch watch = Stopwatch.StartNew();
        string prompt = parse.GetValue(flags.PromptFile) is { } file ? ReadPrompt(file) : parse.GetValue(flags.Prompt) ?? "";
        Model model = Model.Open(parse.GetValue(flags.Model)!, parse.GetValue(flags.Tokenizer));
        Tokenizer tokenizer = model.Tokenizer;
        using InferenceEngine engine = new(model, flags.Cache.Read(parse, model));
        Generator generator = new(engine, tokenizer);
        int[] ids = generator.PromptIds(prompt);
        (ISampler sampler, ulong seed) = CreateSampler(parse, flags, engine.VocabularySize);
        List<GeneratedToken> promptTokens = [];
        GenerationOptions options = new()
        {
            MaxTokens = MaxTokens(parse, flags, ids.Length, engine.MaxPositions),
            Stop = parse.GetValue(flags.Stop) ?? [],
            // run.c ends at a beginning token and at nothing else.
            EndIds = parse.GetValue(flags.Sampler) is null || model.Tokenizer.BosId is not { } bos ? [.. generator.EndIds.Union(model.EndIds)] : [bos],
            LogProbabilities = parse.GetValue(flags.Json),
            LikeliestTokens = parse.GetValue(flags.TopLogprobs) ?? 0,
            PromptCache = parse.GetValue(flags.PromptCache),
            PromptToken = parse.GetValue(flags.PromptLogprobs) ? promptTokens.Add : null,
        };
        using InferenceEngine? draftEngine = OpenDraft(parse, flags, out Model? draft);
        using IDrafter? drafter = draft is not null ? new DraftModel(draftEngine!, draft.Tokenizer, tokenizer) : parse.GetValue(flags.Lookup) ? new PromptLookup() : null;
        Speculation? speculation = drafter is null ? null : new Speculation(drafter, parse.GetValue(flags.DraftTokens) ?? Speculation.UsualTokens);
        IEnumerable<GeneratedToken> tokens = generator.Generate(ids, sampler, options, speculation, stop);

        GeneratePrinter printer = new(parse.InvocationConfiguration.Output, parse.InvocationConfiguration.Error, watch)
        {
            Prompt = prompt,
            PromptIds = ids,
            PromptProbabilities = parse.GetValue(flags.PromptLogprobs) ? promptTokens : null,
            Seed = seed,
            Speculation = speculation,
        };
        if (parse.GetValue(flags.Json))
            printer.Json(tokens);
        else if (parse.GetValue(flags.Raw))
            printer.Raw(tokens);
        else
            printer.Stream(tokens);
        if (parse.GetValue(flags.ExplainCache))
            CachePrinter.Print(parse.InvocationConfiguration.Output, CacheExplanation.Of(engine, [.. ids, .. printer.Ids]), tokenizer);
        return Program.Success;
    }

    private static InferenceEngine? OpenDraft(ParseResult parse, Flagset flags, out Model? draft)
    {
        draft = parse.GetValue(flags.Draft) is { } path ? Model.Open(path) : null;
        return draft is null ? null : new InferenceEngine(draft, flags.Cache.Read(parse, draft));
    }

    private static (ISampler Sampler, ulong Seed) CreateSampler(ParseResult parse, Flagset flags, int vocabulary)
    {
        SamplingOptions options = new()
        {
            Temperature = (float?)parse.GetValue(flags.Temperature) ?? s_defaults.Temperature,
            TopK = parse.GetValue(flags.TopK) ?? s_defaults.TopK,
            TopP = (float?)parse.GetValue(flags.TopP) ?? s_defaults.TopP,
            MinP = (float?)parse.GetValue(flags.MinP) ?? s_defaults.MinP,
            RepetitionPenalty = (float?)parse.GetValue(flags.RepetitionPenalty) ?? s_defaults.RepetitionPenalty,
            RepetitionWindow = parse.GetValue(flags.RepetitionWindow) ?? s_defaults.RepetitionWindow,
            TypicalP = (float?)parse.GetValue(flags.TypicalP) ?? s_defaults.TypicalP,
            FrequencyPenalty = (float?)parse.GetValue(flags.FrequencyPenalty) ?? s_defaults.FrequencyPenalty,
            PresencePenalty = (float?)parse.GetValue(flags.PresencePenalty) ?? s_defaults.PresencePenalty,
            LogitBias = parse.GetValue(flags.LogitBias),
            Seed = parse.GetValue(flags.Seed),
        };
        if (parse.GetValue(flags.Sampler) is null)
        {
            Sampler own = new(options, vocabulary);
            return (own, own.Seed);
        }

        // run.c's defaults: temperature 1, top-p 0.9, and the seed from the clock.
        float temperature = (float?)parse.GetValue(flags.Temperature) ?? 1f;
        float topP = (float?)parse.GetValue(flags.TopP) ?? 0.9f;
        ulong seed = parse.GetValue(flags.Seed) ?? (uint)DateTimeOffset.UtcNow.ToUnixTimeSeconds();
        return (new Llama2cSampler(temperature, topP, seed, vocabulary), seed);
    }

    // How many tokens to draw. Steps are run.c's: positions, the prompt's included, of which the last draws one more.
    private static int MaxTokens(ParseResult parse, Flagset flags, int promptTokens, int limit)
    {
        int? steps = parse.GetValue(flags.Sampler) is null ? null : parse.GetValue(flags.Steps);
        if (steps is not { } positions)
            return parse.GetValue(flags.MaxTokens) ?? Math.Clamp(limit - promptTokens + 1, 1, UsualTokens);
        if (positions == 0)
            positions = limit;
        if (positions > limit || positions < promptTokens)
            throw new InvalidInputException("generation", "steps", $"must lie from the prompt's {promptTokens} tokens to this model's limit of {limit} positions, not {positions}");
        return positions - promptTokens + 1;
    }

    private static string ReadPrompt(string path)
    {
        using Stream stream = path == "-" ? Console.OpenStandardInput() : new FileStream(path, FileMode.Open, FileAccess.Read);
        using StreamReader reader = new(stream, new UTF8Encoding(false, throwOnInvalidBytes: true), detectEncodingFromByteOrderMarks: false);
        try
        {
            return reader.ReadToEnd();
        }
        catch (DecoderFallbackException e)
        {
            throw new InvalidInputException(path, "prompt", "is not UTF-8", e);
        }
    }

    /// <summary>The verb's options.</summary>
    private sealed class Flagset
    {
        public Argument<string> Model { get; } = Flags.Model();
        public Option<string?> Prompt { get; } = Flags.Text("--prompt", "TEXT", "The text to continue; none begins a new one.");
        public Option<string?> PromptFile { get; } = Flags.Text("--prompt-file", "FILE", "Read the prompt from a file, every byte of it; '-' is standard input.");
        public Option<int?> MaxTokens { get; } = Flags.Whole("--max-tokens", $"Tokens to generate at most [default: {UsualTokens}, or what the context holds].");
        public Option<double?> Temperature { get; } = Flags.Real("--temperature", Default("Divides the logits; 0 always takes the most probable token", s_defaults.Temperature));
        public Option<int?> TopK { get; } = Flags.Whole("--top-k", Default("Draw from the K most probable tokens; 0 for all", s_defaults.TopK));
        public Option<double?> TopP { get; } = Flags.Real("--top-p", Default("Draw from the fewest tokens whose probabilities reach this sum", s_defaults.TopP));
        public Option<double?> MinP { get; } = Flags.Real("--min-p", Default("Draw from tokens at least this fraction as probable as the best", s_defaults.MinP));
        public Option<double?> TypicalP { get; } = Flags.Real("--typical-p", Default("Draw from the most typical tokens whose probabilities reach this sum", s_defaults.TypicalP));
        public Option<double?> FrequencyPenalty { get; } = Flags.Real("--frequency-penalty", Default("Taken from a token's logit for each time it occurred", s_defaults.FrequencyPenalty));
        public Option<double?> PresencePenalty { get; } = Flags.Real("--presence-penalty", Default("Taken from the logits of tokens that occurred", s_defaults.PresencePenalty));
        public Option<Dictionary<int, float>?> LogitBias { get; } = new("--logit-bias")
        {
            Description = "Add to a token's logit, as 123=-5; -inf forbids it; may be given several times.",
            HelpName = "ID=BIAS",
            CustomParser = ParseBiases,
        };
        public Option<double?> RepetitionPenalty { get; } = Flags.Real("--repetition-penalty", Default("Weakens tokens that already occurred; 1 for none", s_defaults.RepetitionPenalty));
        public Option<int?> RepetitionWindow { get; } = Flags.Whole("--repetition-window", Default("Last tokens the penalties look at; 0 for all", s_defaults.RepetitionWindow));
        public Option<ulong?> Seed { get; } = Flags.Unsigned("--seed", "The same seed gives the same text [default: a new one each time].");
        public Option<string[]?> Stop { get; } = new("--stop") { Description = "End before this text; may be given several times.", HelpName = "TEXT" };
        public Option<bool> Json { get; } = Flags.Json("Print one JSON object: text, ids, logprobs, finish, seed and speed.");
        public Option<int?> TopLogprobs { get; } = Flags.Whole("--top-logprobs", "With --json: also the N likeliest tokens in each place.");
        public Option<bool> PromptLogprobs { get; } = new("--prompt-logprobs") { Description = "With --json: also the log-probability of each token of the prompt." };
        public Option<string?> Draft { get; } = Flags.Text("--draft", "MODEL", "Let a smaller model of the same tokenizer guess ahead: the same text, sooner.");
        public Option<bool> Lookup { get; } = new("--lookup") { Description = "Guess ahead what followed the last tokens before: the same text, sooner where it repeats itself or its prompt." };
        public Option<int?> DraftTokens { get; } = Flags.Whole("--draft-tokens", $"With --draft or --lookup: guesses of a pass at most [default: {Speculation.UsualTokens}].");
        public Option<string?> PromptCache { get; } = Flags.Text("--prompt-cache", "FILE", "Keep what the prompt leaves behind: later runs begin where their prompts differ.");
        public Option<bool> Raw { get; } = new("--raw") { Description = "Print the text and a line end, and no figures." };
        public Option<string?> Sampler { get; } = Flags.Text("--sampler", "llama2c", "Draw exactly as llama2.c's run.c does (its defaults: temperature 1, top-p 0.9).");
        public Option<int?> Steps { get; } = Flags.Whole("--steps", "With --sampler llama2c: positions to run, the prompt's included; 0 for the whole context.");
        public Option<string?> Tokenizer { get; } = Flags.Text("--tokenizer", "PATH", "A tokenizer that is not the model's own.");

        public Option<bool> ExplainCache { get; } = new("--explain-cache") { Description = "Then list every token, whether it is in the cache still and why, or behind which one it was dropped." };

        public CacheFlags Cache { get; } = new();

        public IEnumerable<Option> All =>
        [
            Prompt, PromptFile, MaxTokens, Temperature, TopK, TopP, MinP, TypicalP, RepetitionPenalty, FrequencyPenalty, PresencePenalty, RepetitionWindow, LogitBias,
            Seed, Stop, Json, TopLogprobs, PromptLogprobs, PromptCache, Raw, Draft, Lookup, DraftTokens, Sampler, Steps, Tokenizer, .. Cache.All, ExplainCache,
        ];

        /// <summary>Refuses options that contradict each other or would not be honoured.</summary>
        public void Check(CommandResult result)
        {
            bool Given(Option option) => result.GetResult(option) is { Implicit: false };
            void Exclude(Option a, params Option[] others)
            {
                if (Given(a) && others.FirstOrDefault(Given) is { } other)
                    result.AddError($"{a.Name} and {other.Name} exclude each other");
            }

            Exclude(Prompt, PromptFile);
            Exclude(Json, Raw);
            Exclude(ExplainCache, Json, Raw);
            Exclude(Steps, MaxTokens);
            Exclude(Sampler, TopK, MinP, TypicalP, RepetitionPenalty, FrequencyPenalty, PresencePenalty, RepetitionWindow, LogitBias);
            Exclude(Draft, Lookup);
            Exclude(PromptLogprobs, PromptCache);
            foreach (Option option in new Option[] { TopLogprobs, PromptLogprobs })
            {
                if (Given(option) && !Given(Json))
                    result.AddError($"{option.Name} needs --json");
            }

            if (result.GetValue(TopLogprobs) is < 1 or > 1000)
                result.AddError("--top-logprobs takes 1 to 1000");
            if (Given(DraftTokens) && !Given(Draft) && !Given(Lookup))
                result.AddError("--draft-tokens needs --draft or --lookup");
            if (Given(Steps) && !Given(Sampler))
                result.AddError("--steps needs --sampler llama2c; --max-tokens counts without it");
            if (Given(Sampler) && result.GetValue(Sampler) != "llama2c")
                result.AddError($"--sampler takes llama2c, not '{result.GetValue(Sampler)}'; leave it out for Skiff's own");
        }

        private static Dictionary<int, float>? ParseBiases(ArgumentResult result)
        {
            Dictionary<int, float> biases = [];
            foreach (string text in result.Tokens.Select(token => token.Value))
            {
                string[] parts = text.Split('=');
                float bias = 0;
                if (parts.Length != 2 || !int.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out int id)
                    || !(parts[1] == "-inf" || float.TryParse(parts[1], NumberStyles.Float, CultureInfo.InvariantCulture, out bias)))
                {
                    result.AddError($"--logit-bias takes ID=BIAS, as 123=-5 or 123=-inf, not '{text}'");
                    return null;
                }

                biases[id] = parts[1] == "-inf" ? float.NegativeInfinity : bias;
            }

            return biases.Count == 0 ? null : biases;
        }

        private static string Default(string text, float value) => string.Create(CultureInfo.InvariantCulture, $"{text} [default: {value}].");
    }
}
