using Skiff.Tensors;

namespace Skiff.Compression;

/// <summary>How values of many tokens, or of many samples, become one.</summary>
public enum Aggregation
{
    /// <summary>The mean of absolute values.</summary>
    Mean,

    /// <summary>The root of the sum of squares.</summary>
    L2,

    /// <summary>The mean square of the distance from the mean.</summary>
    Variance,
}

/// <summary>
/// What passed through one place of a model, channel by channel: for each aggregation over a sample's tokens, sum and sum of squares over
/// samples. All nine aggregations over both follow from these (arXiv 2407.14679, section 2.2).
/// </summary>
internal sealed class ChannelScores(int channels)
{
    /// <summary>Over the tokens of a sample, in the order of <see cref="Aggregation"/>.</summary>
    private static readonly int s_count = Enum.GetValues<Aggregation>().Length;

    private readonly double[] _sum = new double[channels], _squares = new double[channels], _absolute = new double[channels];

    /// <summary>[aggregation][channel].</summary>
    public double[][] Sums { get; } = [.. Enumerable.Range(0, s_count).Select(_ => new double[channels])];

    /// <summary>Of squares.</summary>
    public double[][] Squares { get; } = [.. Enumerable.Range(0, s_count).Select(_ => new double[channels])];

    /// <summary>Samples that came through.</summary>
    public long Samples { get; set; }

    /// <summary>Takes a sample's rows [N, K] in.</summary>
    public unsafe void Add(MatrixView rows)
    {
        Array.Clear(_sum);
        Array.Clear(_squares);
        Array.Clear(_absolute);
        for (int r = 0; r < rows.Rows; r++)
        {
            float* x = rows.Data + (r * rows.RowStride);
            for (int k = 0; k < channels; k++)
            {
                double value = x[k];
                _sum[k] += value;
                _squares[k] += value * value;
                _absolute[k] += Math.Abs(value);
            }
        }

        Samples++;
        for (int k = 0; k < channels; k++)
        {
            double mean = _sum[k] / rows.Rows;
            Add(Aggregation.Mean, k, _absolute[k] / rows.Rows);
            Add(Aggregation.L2, k, Math.Sqrt(_squares[k]));
            Add(Aggregation.Variance, k, Math.Max(0, (_squares[k] / rows.Rows) - (mean * mean)));
        }
    }

    /// <summary>The score of each channel.</summary>
    public double[] Of(Aggregation batch, Aggregation sequence)
    {
        double[] sums = Sums[(int)sequence], squares = Squares[(int)sequence];
        double n = Math.Max(1, Samples);
        return [.. sums.Select((sum, k) => batch switch
        {
            Aggregation.Mean => sum / n,
            Aggregation.L2 => Math.Sqrt(squares[k]),
            _ => Math.Max(0, (squares[k] / n) - (sum / n * (sum / n))),
        })];
    }

    private void Add(Aggregation sequence, int channel, double value)
    {
        Sums[(int)sequence][channel] += value;
        Squares[(int)sequence][channel] += value * value;
    }
}
