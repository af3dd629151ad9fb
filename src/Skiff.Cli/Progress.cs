using System.Globalization;

namespace Skiff.Cli;

/// <summary>
/// How far a long piece of work is, on standard error: percent, rate and time left. A live line on a terminal, a plain
/// line every five seconds when redirected, and nothing at all for work that ends within two seconds.
/// </summary>
internal sealed class Progress : IDisposable
{
    private static readonly TimeSpan s_quiet = TimeSpan.FromSeconds(2);

    private readonly TextWriter _error;
    private readonly string _work;
    private readonly string _unit;
    private readonly long _total;
    private readonly bool _live;
    private readonly TimeSpan _pause;
    private readonly TimeProvider _time;
    private readonly long _start;
    private TimeSpan _next = s_quiet;
    private int _shown;

    /// <summary>Work of <paramref name="total"/> units; 0 when the end is not known.</summary>
    public Progress(TextWriter error, string work, string unit, long total, TimeProvider? time = null)
    {
        _error = error;
        _work = work;
        _unit = unit;
        _total = total;
        _live = ReferenceEquals(error, Console.Error) && !Console.IsErrorRedirected;
        _pause = TimeSpan.FromSeconds(_live ? 0.1 : 5);
        _time = time ?? TimeProvider.System;
        _start = _time.GetTimestamp();
    }

    /// <summary>Work that tells itself how many units there are, with its first report.</summary>
    public static T During<T>(TextWriter error, string work, string unit, Func<Action<long, long>, T> run)
    {
        Progress? progress = null;
        try
        {
            return run((done, total) => (progress ??= new Progress(error, work, unit, total)).Report(done));
        }
        finally
        {
            progress?.Dispose();
        }
    }

    /// <summary>Tells how many units are done, with anything else worth showing (a loss, a file name). Cheap to call often.</summary>
    public void Report(long done, string detail = "")
    {
        TimeSpan spent = _time.GetElapsedTime(_start);
        if (spent < _next)
            return;
        _next = spent + _pause;
        string line = Line(done, spent, detail);
        if (!_live)
        {
            _error.WriteLine(line);
            return;
        }

        _error.Write("\r" + line.PadRight(_shown));
        _shown = line.Length;
    }

    /// <summary>Clears the live line.</summary>
    public void Dispose()
    {
        if (_shown > 0)
            _error.Write("\r" + new string(' ', _shown) + "\r");
        _shown = 0;
    }

    private string Line(long done, TimeSpan spent, string detail)
    {
        double rate = done / Math.Max(spent.TotalSeconds, 1e-9);
        CultureInfo culture = CultureInfo.InvariantCulture;
        string line = _total > 0
            ? string.Create(culture, $"{_work} {100.0 * done / _total:0}% ({done}/{_total} {_unit}), {Rate(rate)} {_unit}/s")
            : string.Create(culture, $"{_work} {done} {_unit}, {Rate(rate)} {_unit}/s");
        if (_total > done && rate > 0)
            line += $", {Duration((_total - done) / rate)} left";
        return detail.Length == 0 ? line : $"{line}, {detail}";
    }

    private static string Rate(double rate) => rate.ToString(rate >= 100 ? "0" : "0.0", CultureInfo.InvariantCulture);

    /// <summary>Seconds as people say them.</summary>
    public static string Duration(double seconds)
    {
        if (seconds > TimeSpan.MaxValue.TotalSeconds / 2)
            return "for ever";
        TimeSpan time = TimeSpan.FromSeconds(Math.Ceiling(seconds));
        return time.TotalHours >= 1 ? $"{(long)time.TotalHours}h{time.Minutes:00}m" : time.TotalMinutes >= 1 ? $"{time.Minutes}m{time.Seconds:00}s" : $"{time.Seconds}s";
    }
}
