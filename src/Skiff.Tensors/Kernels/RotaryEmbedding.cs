// N rows, H heads, K head size, R rotary size
using System.Numerics;

namespace Skiff.Tensors;

/// <summary>
/// Rotary embedding (Su et al., arXiv 2104.09864): pair (i, i + R/2) of each head turns by position times frequency i. Cosines and
/// sines lie in tables. Values do not depend on each other: results are the same for any number of threads.
/// </summary>
public sealed unsafe class RotaryEmbedding
{
    private const int PartValues = 1 << 13;
    private readonly float[] _cosines, _sines;

    /// <summary>Computes the tables in double precision: 4 R bytes a position.</summary>
    /// <param name="positions">Positions from 0 that will be asked for.</param>
    /// <param name="frequencies">[R/2], radians a position.</param>
    /// <param name="scale">Factor on cosines and sines (YaRN's attention factor).</param>
    /// <exception cref="ArgumentOutOfRangeException">A negative number of positions.</exception>
    public RotaryEmbedding(int positions, ReadOnlySpan<double> frequencies, double scale = 1)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(positions);
        (Positions, Half) = (positions, frequencies.Length);
        _cosines = new float[checked(positions * Half)];
        _sines = new float[_cosines.Length];
        for (int i = 0; i < _cosines.Length; i++)
        {
            (double sin, double cos) = Math.SinCos(i / Half * frequencies[i % Half]);
            (_cosines[i], _sines[i]) = ((float)(cos * scale), (float)(sin * scale));
        }
    }

    /// <summary>Positions in the tables.</summary>
    public int Positions { get; }

    /// <summary>R/2.</summary>
    public int Half { get; }

    /// <summary>Turns R values of each head in place.</summary>
    /// <param name="x">[N, H K], updated; rows may be apart.</param>
    /// <param name="headDim">K.</param>
    /// <param name="positions">[N], each row's own: packed documents restart at 0.</param>
    /// <param name="offset">First turned value of a head.</param>
    /// <param name="team">Threads to share the rows; the process's own when null.</param>
    /// <exception cref="ArgumentException">Sizes differ.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A position outside the tables.</exception>
    public void Forward(MatrixView x, int headDim, ReadOnlySpan<int> positions, int offset = 0, ThreadTeam? team = null) =>
        Turn(x, headDim, positions, offset, 1, team);

    /// <summary>Turns gradients back in place: the transposed rotation, with the same scale.</summary>
    /// <param name="dx">[N, H K], updated.</param>
    /// <param name="headDim">K.</param>
    /// <param name="positions">[N], as given to the forward.</param>
    /// <param name="offset">As given to the forward.</param>
    /// <param name="team">Threads to share the rows; the process's own when null.</param>
    /// <exception cref="ArgumentException">Sizes differ.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A position outside the tables.</exception>
    public void Backward(MatrixView dx, int headDim, ReadOnlySpan<int> positions, int offset = 0, ThreadTeam? team = null) =>
        Turn(dx, headDim, positions, offset, -1, team);

    /// <summary>Turns values of each head by angles of its row's own, which sequences of different plans have.</summary>
    /// <param name="x">[N, H K], updated; rows may be apart.</param>
    /// <param name="headDim">K.</param>
    /// <param name="cosines">[N, R/2] without gaps.</param>
    /// <param name="sines">[N, R/2] without gaps.</param>
    /// <param name="offset">First turned value of a head.</param>
    /// <param name="team">Threads to share the rows; the process's own when null.</param>
    /// <exception cref="ArgumentException">Sizes differ.</exception>
    internal static void Forward(MatrixView x, int headDim, MatrixView cosines, MatrixView sines, int offset = 0, ThreadTeam? team = null)
    {
        int half = cosines.Columns;
        if (headDim < 1 || x.Columns % headDim != 0 || offset < 0 || offset > headDim - 2 * half || cosines.Rows != x.Rows || sines.Rows != x.Rows || sines.Columns != half || x.ColumnStride != 1)
            throw new ArgumentException($"[{x.Rows}, {x.Columns}] in heads of {headDim}, {2 * half} values turned from {offset}, angles of {cosines.Rows} and {sines.Rows} rows", nameof(x));
        Plan plan = new() { X = x, HeadDim = headDim, Offset = offset, Half = half, Cosines = cosines.Data, Sines = sines.Data, Sign = 1 };
        plan.PartRows = Math.Max(1, PartValues / Math.Max(1, x.Columns));
        (team ?? ThreadTeam.Default).Run((x.Rows + plan.PartRows - 1) / plan.PartRows, &TurnPart, &plan);
    }

    private void Turn(MatrixView x, int headDim, ReadOnlySpan<int> positions, int offset, float sign, ThreadTeam? team)
    {
        if (headDim < 1 || x.Columns % headDim != 0 || offset < 0 || offset > headDim - 2 * Half || positions.Length != x.Rows || x.ColumnStride != 1)
            throw new ArgumentException($"[{x.Rows}, {x.Columns}] in heads of {headDim}, {2 * Half} values turned from {offset}, {positions.Length} positions", nameof(x));
        foreach (int position in positions)
        {
            if ((uint)position >= (uint)Positions)
                throw new ArgumentOutOfRangeException(nameof(positions), $"position {position} is outside the tables of {Positions}");
        }

        fixed (int* rows = positions)
        fixed (float* cosines = _cosines, sines = _sines)
        {
            Plan plan = new() { X = x, HeadDim = headDim, Rows = rows, Offset = offset, Half = Half, Cosines = cosines, Sines = sines, Sign = sign };
            plan.PartRows = Math.Max(1, PartValues / Math.Max(1, x.Columns));
            (team ?? ThreadTeam.Default).Run((x.Rows + plan.PartRows - 1) / plan.PartRows, &TurnPart, &plan);
        }
    }

    private static void TurnPart(void* state, int part)
    {
        Plan* plan = (Plan*)state;
        int half = plan->Half;
        Vector<float> sign = new(plan->Sign);
        for (int row = part * plan->PartRows, end = Math.Min(plan->X.Rows, row + plan->PartRows); row < end; row++)
        {
            long at = (long)(plan->Rows is null ? row : plan->Rows[row]) * half;
            float* cosines = plan->Cosines + at, sines = plan->Sines + at;
            for (int head = 0; head < plan->X.Columns; head += plan->HeadDim)
            {
                float* a = plan->X.Data + row * plan->X.RowStride + head + plan->Offset, b = a + half;
                int i = 0;
                for (; i <= half - Vector<float>.Count; i += Vector<float>.Count)
                {
                    Vector<float> first = Vector.Load(a + i), second = Vector.Load(b + i), cos = Vector.Load(cosines + i), sin = sign * Vector.Load(sines + i);
                    (first * cos - second * sin).Store(a + i);
                    (second * cos + first * sin).Store(b + i);
                }

                // The pairs that fill no vector.
                for (; i < half; i++)
                    (a[i], b[i]) = Scalar(a[i], b[i], cosines[i], plan->Sign * sines[i]);
            }
        }
    }

    // The twin of one pair; with -sin it is the backward.
    internal static (T First, T Second) Scalar<T>(T first, T second, T cos, T sin)
        where T : IFloatingPointIeee754<T> => (first * cos - second * sin, second * cos + first * sin);

    private struct Plan
    {
        public MatrixView X;
        public int* Rows;
        public float* Cosines, Sines;
        public int HeadDim, Offset, Half, PartRows;
        public float Sign;
    }
}
