using System.Text.Json;
using Skiff.Training;

namespace Skiff.Serving;

/// <summary>
/// What the page shows of a run's metrics: thinned curves, the last figures and the latest samples. Bounded in memory. A
/// step that comes again (a run resumed from a checkpoint) replaces what was known from there on.
/// </summary>
internal sealed class RunHistory
{
    private const int MostSamples = 24;
    private const int LongestText = 8192;

    private CurveTable _training = NewTraining();
    private CurveTable _validation = NewValidation();
    private readonly List<MetricsLine> _samples = [];
    // Begins with the clock, so that a page left open over a restart of the server sees another number.
    private long _epoch = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds();
    private long _sequence;
    private long _sampled;
    private double _earlierSeconds;
    private double? _seconds;

    /// <summary>The last training line.</summary>
    public MetricsLine? Training { get; private set; }

    /// <summary>The last validation line.</summary>
    public MetricsLine? Validation { get; private set; }

    /// <summary>The line that says that the run has ended, if it has.</summary>
    public MetricsLine? End { get; private set; }

    /// <summary>Seconds the run has taken, a resumed one all its parts together.</summary>
    public double? Seconds => _seconds;

    /// <summary>Seconds between the last two training lines.</summary>
    public double? Interval { get; private set; }

    /// <summary>A mark of what is known now; a request that names it gets only what comes after.</summary>
    public string Cursor => $"{_epoch}.{_sequence}";

    /// <summary>Forgets everything: the file begins anew.</summary>
    public void Clear()
    {
        _training = NewTraining();
        _validation = NewValidation();
        _samples.Clear();
        _epoch++;
        (_sequence, _sampled, _earlierSeconds, _seconds) = (0, 0, 0, null);
        (Training, Validation, End, Interval) = (null, null, null, null);
    }

    /// <summary>Takes the next line of the file.</summary>
    public void Add(MetricsLine line)
    {
        _sequence++;
        if (line.IsTraining)
            AddTraining(line);
        if (line.ValidationBitsPerByte is not null || line.ValidationLoss is not null)
            AddValidation(line);
        if (line.Sample is not null)
            AddSample(line);
        if (line.IsDone || line.Stopped is not null)
            End = line with { Stopped = line.Stopped is null ? null : Shorten(line.Stopped) };
    }

    /// <summary>Writes what came after a cursor: everything where the cursor is null or of an earlier epoch.</summary>
    public void Write(Utf8JsonWriter json, (long Epoch, long Sequence)? from)
    {
        long known = from is { } cursor && cursor.Epoch == _epoch ? cursor.Sequence : 0;
        json.WriteString("cursor", Cursor);
        _training.Write(json, "training", known);
        _validation.Write(json, "validation", known);
        if (known > 0 && _sampled <= known)
            return;
        json.WriteStartArray("samples");
        foreach (MetricsLine sample in _samples)
        {
            json.WriteStartObject();
            json.WriteNumber("step", sample.Step);
            json.WriteString("prompt", sample.Prompt);
            json.WriteString("sample", sample.Sample);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private static CurveTable NewTraining() => new("loss", "lr", "grad_norm", "tokens_per_second");

    private static CurveTable NewValidation() => new("val_bits_per_byte");

    private void AddTraining(MetricsLine line)
    {
        if (Training is { } last && line.Step <= last.Step)
        {
            _training.CutFrom(line.Step);
            _validation.CutFrom(line.Step);
            _samples.RemoveAll(sample => sample.Step >= line.Step);
            _epoch++;
        }

        if (line.Seconds is { } seconds)
        {
            // A clock that runs backwards between two steps in a row was started anew.
            double now = _earlierSeconds + seconds;
            if (_seconds is { } before && now < before && line.Step > Training?.Step)
                (_earlierSeconds, now) = (before, before + seconds);
            Interval = now - _seconds;
            _seconds = now;
        }

        End = null;
        Training = line;
        if (_training.Add(_sequence, line.Step, line.Tokens, _seconds, Or(line.Loss), Or(line.LearningRate), Or(line.GradientNorm), Or(line.TokensPerSecond)))
            _epoch++;
    }

    private void AddValidation(MetricsLine line)
    {
        Validation = line;
        if (_validation.CutFrom(line.Step))
            _epoch++;
        if (_validation.Add(_sequence, line.Step, line.Tokens ?? Training?.Tokens, _seconds, Or(line.ValidationBitsPerByte)))
            _epoch++;
    }

    private void AddSample(MetricsLine line)
    {
        _sampled = _sequence;
        _samples.RemoveAll(sample => sample.Step > line.Step || (sample.Step == line.Step && sample.Prompt == line.Prompt));
        _samples.Add(line with { Prompt = line.Prompt is null ? null : Shorten(line.Prompt), Sample = Shorten(line.Sample!) });
        if (_samples.Count > MostSamples)
            _samples.RemoveAt(0);
    }

    private static double Or(double? value) => value ?? double.NaN;

    private static string Shorten(string text)
    {
        if (text.Length <= LongestText)
            return text;
        int length = char.IsHighSurrogate(text[LongestText - 1]) ? LongestText - 1 : LongestText;
        return $"{text[..length]} [{text.Length - length} more characters in {MetricsReader.FileName}]";
    }
}
