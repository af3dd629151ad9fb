using System.Globalization;
using Skiff.Training;

namespace Skiff.Cli;

/// <summary>What training says while it runs: notes and figures on standard error, or JSON on standard output.</summary>
internal sealed class TrainPrinter : IDisposable
{
    private readonly TextWriter _output, _error;
    private readonly bool _json;
    private Progress? _progress;
    private string _work = "";

    public TrainPrinter(TextWriter output, TextWriter error, bool json)
    {
        (_output, _error, _json) = (output, error, json);
        Events = new TrainingEvents { Note = Note, Tokenizing = Tokenizing, Step = Step, Validation = Validation, Sample = Sample };
    }

    public TrainingEvents Events { get; }

    public void Dispose() => _progress?.Dispose();

    private void Note(string line)
    {
        Clear();
        _error.WriteLine(line);
    }

    private void Tokenizing(string name, TokenShardProgress progress)
    {
        string work = $"{progress.Stage} {name}";
        if (_work != work)
        {
            Clear();
            (_work, _progress) = (work, new Progress(_error, work, "bytes", progress.TotalBytes));
        }

        _progress!.Report(progress.Bytes, progress.Tokens > 0 ? $"{progress.Tokens} tokens" : "");
    }

    private void Step(StepMetrics m)
    {
        Clear();
        if (_json)
        {
            Output.Json(_output, json =>
            {
                json.WriteNumber("step", m.Step);
                json.WriteNumber("steps", m.Steps);
                json.WriteNumber("tokens", m.Tokens);
                json.Figure("loss", m.Loss);
                json.Figure("lr_multiplier", m.Multiplier);
                json.Figure("grad_norm", m.GradientNorm);
                json.Figure("tokens_per_second", Math.Round(m.TokensPerSecond, 1));
                json.Figure("share_of_peak", Math.Round(m.ShareOfPeak, 4));
                json.Figure("eta_seconds", Math.Round(m.SecondsLeft, 1));
            });
            _output.Flush();
            return;
        }

        int width = m.Steps.ToString(CultureInfo.InvariantCulture).Length;
        _error.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"step {m.Step.ToString(CultureInfo.InvariantCulture).PadLeft(width)}/{m.Steps} | loss {m.Loss:0.0000} | lrm {m.Multiplier:0.000} | norm {m.GradientNorm:0.00} | {m.TokensPerSecond:0} tok/s | {m.ShareOfPeak:0%} of peak | {Progress.Duration(m.SecondsLeft)} left"));
    }

    private void Validation(ValidationMetrics m)
    {
        if (_json)
        {
            Output.Json(_output, json =>
            {
                json.WriteNumber("step", m.Step);
                json.Figure("val_loss", m.Loss);
                json.Figure("val_bits_per_byte", m.BitsPerByte);
            });
            _output.Flush();
            return;
        }

        _error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"validation at {m.Step}: loss {m.Loss:0.0000}, {m.BitsPerByte:0.0000} bits per byte ({m.Tokens} tokens)"));
    }

    private void Sample(string prompt, string text)
    {
        if (!_json)
            _error.WriteLine($"sample: {prompt}{text.ReplaceLineEndings(" ")}");
    }

    private void Clear()
    {
        _progress?.Dispose();
        (_progress, _work) = (null, "");
    }
}
