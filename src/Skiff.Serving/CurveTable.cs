using System.Text.Json;

namespace Skiff.Serving;

/// <summary>
/// Curves over common points, in bounded memory however long a run is: a point stands for one line, then, each time there are
/// too many, for twice as many lines as before, with their mean, least and greatest value, so that no spike is lost.
/// </summary>
internal sealed class CurveTable(params string[] names)
{
    /// <summary>Points that are kept at most.</summary>
    public const int MostPoints = 2000;

    private readonly List<Point> _points = [];
    private int _linesPerPoint = 1;

    /// <summary>Adds a line; NaN stands for a value it does not have. True where earlier points changed.</summary>
    /// <param name="sequence">Number of the line in its file.</param>
    /// <param name="step">The line's step, greater than that of the line before.</param>
    /// <param name="tokens">The line's tokens.</param>
    /// <param name="seconds">The line's time.</param>
    /// <param name="values">A value for each curve.</param>
    public bool Add(long sequence, long step, long? tokens, double? seconds, params ReadOnlySpan<double> values)
    {
        if (_points.Count == 0 || _points[^1].Lines == _linesPerPoint)
            _points.Add(new Point(names.Length));
        _points[^1].Add(sequence, step, tokens, seconds, values);
        if (_points.Count <= MostPoints)
            return false;
        for (int i = 0; i < _points.Count; i += 2)
        {
            if (i + 1 < _points.Count)
                _points[i].Absorb(_points[i + 1]);
            _points[i / 2] = _points[i];
        }

        _points.RemoveRange((_points.Count + 1) / 2, _points.Count / 2);
        _linesPerPoint *= 2;
        return true;
    }

    /// <summary>Forgets the points that reach a step. True where there were any.</summary>
    public bool CutFrom(long step)
    {
        int kept = _points.Count;
        while (kept > 0 && _points[kept - 1].Step >= step)
            kept--;
        bool cut = kept < _points.Count;
        _points.RemoveRange(kept, _points.Count - kept);
        return cut;
    }

    /// <summary>
    /// Writes an object with the points that changed after line <paramref name="sequence"/>: "keep" says how many points
    /// before them did not; then one array a column, "NAME_low" and "NAME_high" beside each curve's mean.
    /// </summary>
    public void Write(Utf8JsonWriter json, string name, long sequence)
    {
        int keep = _points.FindIndex(point => point.Sequence > sequence);
        if (keep < 0)
            keep = _points.Count;
        List<Point> changed = _points[keep..];
        json.WriteStartObject(name);
        json.WriteNumber("keep", keep);
        Column(json, "step", changed, point => point.Step);
        Column(json, "tokens", changed, point => point.Tokens);
        Column(json, "seconds", changed, point => point.Seconds);
        for (int i = 0; i < names.Length; i++)
        {
            int curve = i;
            // Single precision halves the text and is finer than any screen.
            Values(json, names[i], changed, point => (float)point.Mean(curve));
            Values(json, names[i] + "_low", changed, point => (float)point.Low[curve]);
            Values(json, names[i] + "_high", changed, point => (float)point.High[curve]);
        }

        json.WriteEndObject();
    }

    private static void Column(Utf8JsonWriter json, string name, List<Point> points, Func<Point, double?> value)
    {
        json.WriteStartArray(name);
        foreach (Point point in points)
        {
            if (value(point) is { } number && double.IsFinite(number))
                json.WriteNumberValue(Math.Round(number, 2));
            else
                json.WriteNullValue();
        }

        json.WriteEndArray();
    }

    private static void Values(Utf8JsonWriter json, string name, List<Point> points, Func<Point, float> value)
    {
        json.WriteStartArray(name);
        foreach (Point point in points)
        {
            if (value(point) is var number && float.IsFinite(number))
                json.WriteNumberValue(number);
            else
                json.WriteNullValue();
        }

        json.WriteEndArray();
    }

    /// <summary>One or more lines in a row; where it stands is where its last line does.</summary>
    private sealed class Point(int curves)
    {
        private readonly double[] _sum = new double[curves];
        private readonly int[] _count = new int[curves];

        public int Lines { get; private set; }

        public long Sequence { get; private set; }

        public long Step { get; private set; }

        public long? Tokens { get; private set; }

        public double? Seconds { get; private set; }

        public double[] Low { get; } = [.. Enumerable.Repeat(double.PositiveInfinity, curves)];

        public double[] High { get; } = [.. Enumerable.Repeat(double.NegativeInfinity, curves)];

        public double Mean(int curve) => _sum[curve] / _count[curve];

        public void Add(long sequence, long step, long? tokens, double? seconds, ReadOnlySpan<double> values)
        {
            (Lines, Sequence, Step, Tokens, Seconds) = (Lines + 1, sequence, step, tokens, seconds);
            for (int i = 0; i < values.Length; i++)
            {
                if (double.IsNaN(values[i]))
                    continue;
                _sum[i] += values[i];
                _count[i]++;
                Low[i] = Math.Min(Low[i], values[i]);
                High[i] = Math.Max(High[i], values[i]);
            }
        }

        public void Absorb(Point next)
        {
            (Lines, Sequence, Step, Tokens, Seconds) = (Lines + next.Lines, next.Sequence, next.Step, next.Tokens, next.Seconds);
            for (int i = 0; i < _sum.Length; i++)
            {
                _sum[i] += next._sum[i];
                _count[i] += next._count[i];
                Low[i] = Math.Min(Low[i], next.Low[i]);
                High[i] = Math.Max(High[i], next.High[i]);
            }
        }
    }
}
