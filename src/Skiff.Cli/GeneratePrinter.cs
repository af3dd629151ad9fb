using System.Diagnostics;
using System.Globalization;
using System.Text;
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

    public required int PromptTokens { get; init; }

    public required ulong Seed { get; init; }

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
            $"skiff: {_tokens.Count} tokens, {TokensPerSecond:0.0} tokens/s after the first; prompt of {PromptTokens} in {_first - _loaded:0.000} s; loaded in {_loaded:0.000} s; ended at {Name(last.Finish)}; seed {Seed}"));
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
            json.WriteString("finish", Name(_tokens[^1].Finish));
            json.WriteNumber("prompt_tokens", PromptTokens);
            json.WriteNumber("tokens", _tokens.Count);
            json.WriteNumber("seed", Seed);
            json.Figure("load_seconds", _loaded);
            json.Figure("prompt_seconds", _first - _loaded);
            json.Figure("first_token_seconds", _firstSinceStart);
            json.WriteNumber("peak_rss_bytes", ProcessMemory.Peak);
            json.Figure("tokens_per_second", TokensPerSecond);
        });
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
