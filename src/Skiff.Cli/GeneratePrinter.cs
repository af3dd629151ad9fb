using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Skiff.Inference;
using Skiff.Tensors;

namespace Skiff.Cli;

/// <summary>The three forms in which a generation is printed.</summary>
/// <param name="output">The text or the JSON.</param>
/// <param name="error">The line of figures.</param>
/// <param name="watch">Runs since before the model was opened.</param>
internal sealed class GeneratePrinter(TextWriter output, TextWriter error, Stopwatch watch)
{
    private readonly StringBuilder _text = new();
    private readonly List<GeneratedToken> _tokens = [];
    private double _loaded;
    private double _first;
    private double _firstSinceStart;

    public required string Prompt { get; init; }

    public required IReadOnlyList<int> PromptIds { get; init; }

    /// <summary>Tokens of the prompt but the first, filled as they are read; null where nobody asks.</summary>
    public required IReadOnlyList<GeneratedToken>? PromptProbabilities { get; init; }

    public required Speculation? Speculation { get; init; }

    public required ulong Seed { get; init; }

    /// <summary>What was drawn.</summary>
    public IEnumerable<int> Ids => _tokens.Select(token => token.Id);

    /// <summary>Prompt and text as they grow, a line end where there is none, then figures on standard error.</summary>
    public void Stream(IEnumerable<GeneratedToken> tokens)
    {
        output.Write(Prompt);
        Collect(tokens, show: true);
        string all = _text.Length > 0 ? _text.ToString() : Prompt;
        if (!all.EndsWith('\n'))
            output.WriteLine();
        output.Flush();
        GeneratedToken last = _tokens[^1];
        error.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"skiff: {_tokens.Count} tokens, {TokensPerSecond:0.0} tokens/s after the first; prompt of {PromptIds.Count} in {_first - _loaded:0.000} s; loaded in {_loaded:0.000} s; ended at {Name(last.Finish)}; seed {Seed}{Guesses}"));
    }

    /// <summary>Prompt, text and a line end, as run.c prints them.</summary>
    public void Raw(IEnumerable<GeneratedToken> tokens)
    {
        output.Write(Prompt);
        Collect(tokens, show: true);
        output.WriteLine();
    }

    /// <summary>One object once all is done.</summary>
    public void Json(IEnumerable<GeneratedToken> tokens)
    {
        Collect(tokens, show: false);
        Output.Json(output, json =>
        {
            json.WriteString("prompt", Prompt);
            json.WriteString("text", _text.ToString());
            json.WriteStartArray("ids");
            foreach (GeneratedToken token in _tokens)
                json.WriteNumberValue(token.Id);
            json.WriteEndArray();
            json.WriteStartArray("logprobs");
            foreach (GeneratedToken token in _tokens)
                json.Figure(token.LogProbability ?? double.NaN);
            json.WriteEndArray();
            if (_tokens[0].Likeliest is not null)
            {
                json.WriteStartArray("top_logprobs");
                WriteLikeliest(json, _tokens);
                json.WriteEndArray();
            }

            if (PromptProbabilities is { } prompt)
            {
                json.WriteStartArray("prompt_ids");
                foreach (int id in PromptIds)
                    json.WriteNumberValue(id);
                json.WriteEndArray();
                // Nothing comes before the first.
                json.WriteStartArray("prompt_logprobs");
                json.WriteNullValue();
                foreach (GeneratedToken token in prompt)
                    json.Figure(token.LogProbability!.Value);
                json.WriteEndArray();
            }

            if (Speculation is { } speculation)
            {
                json.WriteNumber("drafted", speculation.Drafted);
                json.WriteNumber("accepted", speculation.Accepted);
            }

            json.WriteString("finish", Name(_tokens[^1].Finish));
            json.WriteNumber("prompt_tokens", PromptIds.Count);
            json.WriteNumber("tokens", _tokens.Count);
            json.WriteNumber("seed", Seed);
            json.Figure("load_seconds", _loaded);
            json.Figure("prompt_seconds", _first - _loaded);
            json.Figure("first_token_seconds", _firstSinceStart);
            json.WriteNumber("peak_rss_bytes", ProcessMemory.Peak);
            json.Figure("tokens_per_second", TokensPerSecond);
        });
    }

    private string Guesses => Speculation is { } s ? string.Create(CultureInfo.InvariantCulture, $"; {s.Accepted} of {s.Drafted} guesses right") : "";

    private static void WriteLikeliest(Utf8JsonWriter json, IEnumerable<GeneratedToken> tokens)
    {
        foreach (GeneratedToken token in tokens)
        {
            json.WriteStartArray();
            foreach (TokenProbability likely in token.Likeliest!)
            {
                json.WriteStartObject();
                json.WriteNumber("id", likely.Id);
                json.Figure("logprob", likely.LogProbability);
                json.WriteEndObject();
            }

            json.WriteEndArray();
        }
    }

    // The first token also waits for the prompt, so it is not counted.
    private double TokensPerSecond => _tokens.Count > 1 ? (_tokens.Count - 1) / (watch.Elapsed.TotalSeconds - _first) : 0;

    private void Collect(IEnumerable<GeneratedToken> tokens, bool show)
    {
        _loaded = watch.Elapsed.TotalSeconds;
        foreach (GeneratedToken token in tokens)
        {
            if (_tokens.Count == 0)
            {
                _first = watch.Elapsed.TotalSeconds;
                using Process self = Process.GetCurrentProcess();
                _firstSinceStart = (DateTime.Now - self.StartTime).TotalSeconds;
            }

            _tokens.Add(token);
            _text.Append(token.Text);
            if (!show)
                continue;
            output.Write(token.Text);
            output.Flush();
        }

        watch.Stop();
    }

    private static string Name(FinishReason? finish) => finish switch
    {
        FinishReason.Stop => "stop",
        FinishReason.StopString => "stop_string",
        _ => "length",
    };
}
