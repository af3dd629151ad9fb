using System.Globalization;
using System.Text;
using System.Web;

namespace Skiff.Evaluation;

/// <summary>Points of one kind.</summary>
/// <param name="Name">What the legend says.</param>
/// <param name="Points">In order of x.</param>
/// <param name="Line">Joined by a line, or each alone.</param>
public sealed record ChartSeries(string Name, IReadOnlyList<(double X, double Y)> Points, bool Line = true);

/// <summary>A chart of lines and points as an SVG picture, readable on light and dark pages.</summary>
public sealed record LineChart
{
    private const int Width = 800, Height = 430, Left = 62, Right = 244, Top = 44, Bottom = 52;

    // Distinct to most eyes, and in grey (Okabe and Ito, "Color universal design", 2008).
    private static readonly string[] s_colours = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8c6d00", "#56b4e9", "#7f7f7f", "#b22222"];

    /// <summary>What it shows.</summary>
    public required string Title { get; init; }

    /// <summary>What x counts.</summary>
    public required string XLabel { get; init; }

    /// <summary>What y counts.</summary>
    public required string YLabel { get; init; }

    /// <summary>Marked places of the x axis.</summary>
    public required IReadOnlyList<double> XTicks { get; init; }

    /// <summary>Marked places of the y axis.</summary>
    public required IReadOnlyList<double> YTicks { get; init; }

    /// <summary>The x axis is logarithmic.</summary>
    public bool LogX { get; init; }

    /// <summary>What is drawn.</summary>
    public required IReadOnlyList<ChartSeries> Series { get; init; }

    /// <summary>The picture.</summary>
    public string ToSvg()
    {
        StringBuilder svg = new();
        svg.Append(Invariant($"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {Width} {Height}\" width=\"{Width}\" height=\"{Height}\" font-family=\"system-ui, sans-serif\" font-size=\"12\" role=\"img\">\n"));
        svg.Append($"<title>{HttpUtility.HtmlEncode(Title)}</title>\n<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n");
        Text(svg, Left, 24, Title, "start", "#111111", 15);
        foreach (double tick in YTicks)
        {
            svg.Append(Invariant($"<line x1=\"{Left}\" x2=\"{Width - Right}\" y1=\"{Y(tick):0.0}\" y2=\"{Y(tick):0.0}\" stroke=\"#dddddd\"/>\n"));
            Text(svg, Left - 8, Y(tick) + 4, Number(tick), "end", "#444444");
        }

        foreach (double tick in XTicks)
        {
            svg.Append(Invariant($"<line x1=\"{X(tick):0.0}\" x2=\"{X(tick):0.0}\" y1=\"{Height - Bottom}\" y2=\"{Height - Bottom + 5}\" stroke=\"#666666\"/>\n"));
            Text(svg, X(tick), Height - Bottom + 19, Number(tick), "middle", "#444444");
        }

        Text(svg, (Left + Width - Right) / 2.0, Height - 12, XLabel, "middle", "#111111");
        svg.Append(Invariant($"<text transform=\"translate(18 {(Top + Height - Bottom) / 2}) rotate(-90)\" text-anchor=\"middle\" fill=\"#111111\">{HttpUtility.HtmlEncode(YLabel)}</text>\n"));
        for (int s = 0; s < Series.Count; s++)
            Draw(svg, Series[s], s);
        return svg.Append("</svg>\n").ToString();
    }

    private void Draw(StringBuilder svg, ChartSeries series, int index)
    {
        string colour = s_colours[index % s_colours.Length];
        (double X, double Y)[] places = [.. series.Points.Select(point => (X(point.X), Y(point.Y)))];
        if (series.Line)
            svg.Append($"<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" points=\"{string.Join(' ', places.Select(place => Invariant($"{place.X:0.0},{place.Y:0.0}")))}\"/>\n");
        foreach ((double x, double y) in places)
            Mark(svg, x, y, colour, series.Line);
        double row = Top + 8 + (index * 19);
        Mark(svg, Width - Right + 20, row - 4, colour, series.Line);
        Text(svg, Width - Right + 32, row, series.Name, "start", "#111111");
    }

    // Lines have discs, points that stand alone have diamonds.
    private static void Mark(StringBuilder svg, double x, double y, string colour, bool line) => svg.Append(line
        ? Invariant($"<circle cx=\"{x:0.0}\" cy=\"{y:0.0}\" r=\"3.5\" fill=\"{colour}\"/>\n")
        : Invariant($"<path d=\"M{x:0.0} {y - 7:0.0} l6 7 l-6 7 l-6 -7 z\" fill=\"{colour}\" stroke=\"#ffffff\"/>\n"));

    private static void Text(StringBuilder svg, double x, double y, string text, string anchor, string colour, int size = 12) =>
        svg.Append(Invariant($"<text x=\"{x:0.0}\" y=\"{y:0.0}\" text-anchor=\"{anchor}\" fill=\"{colour}\" font-size=\"{size}\">{HttpUtility.HtmlEncode(text)}</text>\n"));

    private double X(double value)
    {
        double Scale(double x) => LogX ? Math.Log(x) : x;
        return Left + ((Scale(value) - Scale(XTicks[0])) / (Scale(XTicks[^1]) - Scale(XTicks[0])) * (Width - Right - Left));
    }

    private double Y(double value) => Height - Bottom - ((value - YTicks[0]) / (YTicks[^1] - YTicks[0]) * (Height - Bottom - Top));

    private static string Number(double value) => value.ToString("0.###", CultureInfo.InvariantCulture);

    private static string Invariant(FormattableString text) => FormattableString.Invariant(text);
}
