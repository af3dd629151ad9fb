// R rows (outputs), C columns (inputs), L the lesser of both
using System.Numerics;

namespace Skiff.Tensors;

/// <summary>
/// One Muon step over one matrix: momentum whose singular values are all brought close to 1 by five Newton-Schulz iterations (Jordan et
/// al., "Muon: An optimizer for hidden layers in neural networks", 2024). For matrices inside the blocks; embeddings, the head, gains
/// and biases are AdamW's. Results are the same for any number of threads.
/// </summary>
public static unsafe class MuonStep
{
    // x -> A x + B x^3 + C x^5 on every singular value: steep at 0 rather than settling at 1. What is at least 0.0015 of the norm ends
    // between 0.67 and 1.21.
    private const float A = 3.4445f, B = -4.7750f, C = 2.0315f;
    private const int Iterations = 5;

    private const int PartValues = 1 << 15;

    // Below this norm its inverse would not be finite.
    private const double LeastNorm = 1e-37;

    /// <summary>Scratch memory that a step needs, in values: 2 R C + 2 L^2.</summary>
    public static long ScratchLength(int rows, int columns)
    {
        long least = Math.Min(rows, columns);
        return 2L * rows * columns + 2 * least * least;
    }

    /// <summary>
    /// With g scaled: m = mu m + g; u = g + mu m, or m without Nesterov; p -= rate (decay p + scale O), O being u made nearly
    /// orthogonal. Momentum of zeros gives O = 0. m is a sum, not a mean: O does not depend on its size.
    /// </summary>
    /// <param name="parameters">p, [R, C], updated.</param>
    /// <param name="gradients">g, [R, C].</param>
    /// <param name="momentum">m, [R, C], updated; zeros before the first step.</param>
    /// <param name="settings">Momentum, decay, the step's scale.</param>
    /// <param name="learningRate">This step's rate.</param>
    /// <param name="scratch">At least <see cref="ScratchLength"/> values, with anything in them.</param>
    /// <param name="gradientScale">Factor on every gradient: clipping costs no pass of its own.</param>
    /// <param name="team">Threads to share the work; the process's own when null.</param>
    /// <exception cref="ArgumentException">Sizes differ, values of a row lie apart, or too little scratch memory.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A momentum outside [0, 1), or an unknown scale.</exception>
    public static void Apply(
        MatrixView parameters, MatrixView gradients, MatrixView momentum, MuonSettings settings, double learningRate, Span<float> scratch,
        float gradientScale = 1, ThreadTeam? team = null)
    {
        double scale = ScaleOf(settings, parameters.Rows, parameters.Columns);
        Check(parameters, gradients);
        Check(parameters, momentum);
        if (scratch.Length < ScratchLength(parameters.Rows, parameters.Columns))
            throw new ArgumentException($"{scratch.Length} values of scratch memory for [{parameters.Rows}, {parameters.Columns}]", nameof(scratch));
        if (parameters.Rows == 0 || parameters.Columns == 0)
            return;
        team ??= ThreadTeam.Default;
        fixed (float* room = scratch)
        {
            Plan plan = new() { P = parameters, G = gradients, M = momentum, Direction = room, GradientScale = gradientScale, Nesterov = settings.Nesterov };
            plan.Momentum = (float)settings.Momentum;
            plan.Decay = (float)(learningRate * settings.WeightDecay);
            plan.Rate = (float)(learningRate * scale);
            plan.PartRows = Math.Max(1, PartValues / parameters.Columns);
            int parts = (parameters.Rows + plan.PartRows - 1) / plan.PartRows;
            team.Run(parts, &MomentumPart, &plan);
            plan.Direction = Orthogonalize(room, parameters.Rows, parameters.Columns, team);
            team.Run(parts, &UpdatePart, &plan);
        }
    }

    private static double ScaleOf(MuonSettings settings, int rows, int columns)
    {
        ArgumentNullException.ThrowIfNull(settings);
        if (settings.Momentum is not (>= 0 and < 1))
            throw new ArgumentOutOfRangeException(nameof(settings), settings, "momentum must lie in [0, 1)");
        return settings.Scale switch
        {
            MuonScale.Original => Math.Sqrt(Math.Max(1, (double)rows / columns)),
            MuonScale.MatchRmsAdamW => 0.2 * Math.Sqrt(Math.Max(rows, columns)),
            _ => throw new ArgumentOutOfRangeException(nameof(settings), settings.Scale, "unknown"),
        };
    }

    private static void Check(MatrixView parameters, MatrixView other)
    {
        if (other.Rows != parameters.Rows || other.Columns != parameters.Columns || parameters.ColumnStride != 1 || other.ColumnStride != 1)
            throw new ArgumentException($"[{other.Rows}, {other.Columns}] beside parameters [{parameters.Rows}, {parameters.Columns}], or values of a row apart", nameof(other));
    }

    /// <summary>
    /// X / |X| with singular values near 1, X being the first R C values of the room. The result lies there or in the R C values behind.
    /// </summary>
    internal static float* Orthogonalize(float* room, int rows, int columns, ThreadTeam team)
    {
        int count = checked(rows * columns), least = Math.Min(rows, columns);
        Span<float> values = new(room, count);
        double norm = Math.Sqrt(SquaredNorm.Compute(values, team));
        if (norm < LeastNorm)
        {
            values.Clear();
            return room;
        }

        Scale.Apply(values, (float)(1 / norm), team);
        MatrixView x = new(room, rows, columns), next = new(room + count, rows, columns);
        MatrixView gram = new(room + 2L * count, least, least), polynomial = new(gram.Data + (long)least * least, least, least);
        // The products of rows with rows should be the fewer ones.
        if (rows > columns)
            (x, next) = (x.Transposed, next.Transposed);
        for (int i = 0; i < Iterations; i++)
        {
            MatrixProduct.Multiply(x, x.Transposed, gram, team: team);
            MatrixProduct.Multiply(gram, gram, polynomial, team: team);
            PolynomialPlan plan = new() { Gram = gram.Data, Polynomial = polynomial.Data, Count = least };
            plan.PartRows = Math.Max(1, PartValues / least);
            team.Run((least + plan.PartRows - 1) / plan.PartRows, &PolynomialPart, &plan);
            MatrixProduct.Multiply(polynomial, x, next, team: team);
            (x, next) = (next, x);
        }

        return x.Data;
    }

    private static void MomentumPart(void* state, int part)
    {
        Plan* plan = (Plan*)state;
        int columns = plan->P.Columns;
        float keep = plan->Momentum, factor = plan->GradientScale;
        Vector<float> keeps = new(keep), factors = new(factor);
        for (int row = part * plan->PartRows, end = Math.Min(plan->P.Rows, row + plan->PartRows); row < end; row++)
        {
            float* g = plan->G.Data + row * plan->G.RowStride, m = plan->M.Data + row * plan->M.RowStride, u = plan->Direction + (long)row * columns;
            int i = 0;
            for (; i <= columns - Vector<float>.Count; i += Vector<float>.Count)
            {
                Vector<float> gradient = factors * Vector.Load(g + i), moved = keeps * Vector.Load(m + i) + gradient;
                moved.Store(m + i);
                (plan->Nesterov ? gradient + keeps * moved : moved).Store(u + i);
            }

            // The values that fill no vector.
            for (; i < columns; i++)
            {
                float gradient = factor * g[i];
                m[i] = keep * m[i] + gradient;
                u[i] = plan->Nesterov ? gradient + keep * m[i] : m[i];
            }
        }
    }

    // A I + B G + C G^2: one product with X then makes all three terms.
    private static void PolynomialPart(void* state, int part)
    {
        PolynomialPlan* plan = (PolynomialPlan*)state;
        Vector<float> first = new(B), second = new(C);
        for (int row = part * plan->PartRows, end = Math.Min(plan->Count, row + plan->PartRows); row < end; row++)
        {
            float* gram = plan->Gram + (long)row * plan->Count, target = plan->Polynomial + (long)row * plan->Count;
            int i = 0;
            for (; i <= plan->Count - Vector<float>.Count; i += Vector<float>.Count)
                (first * Vector.Load(gram + i) + second * Vector.Load(target + i)).Store(target + i);
            // The values that fill no vector.
            for (; i < plan->Count; i++)
                target[i] = B * gram[i] + C * target[i];
            target[row] += A;
        }
    }

    private static void UpdatePart(void* state, int part)
    {
        Plan* plan = (Plan*)state;
        int columns = plan->P.Columns;
        Vector<float> decay = new(plan->Decay), rate = new(plan->Rate);
        for (int row = part * plan->PartRows, end = Math.Min(plan->P.Rows, row + plan->PartRows); row < end; row++)
        {
            float* p = plan->P.Data + row * plan->P.RowStride, o = plan->Direction + (long)row * columns;
            int i = 0;
            for (; i <= columns - Vector<float>.Count; i += Vector<float>.Count)
            {
                Vector<float> value = Vector.Load(p + i);
                (value - (decay * value + rate * Vector.Load(o + i))).Store(p + i);
            }

            // The values that fill no vector.
            for (; i < columns; i++)
                p[i] -= plan->Decay * p[i] + plan->Rate * o[i];
        }
    }

    private struct Plan
    {
        public MatrixView P, G, M;
        public float* Direction;
        public float Momentum, GradientScale, Decay, Rate;
        public bool Nesterov;
        public int PartRows;
    }

    private struct PolynomialPlan
    {
        public float* Gram, Polynomial;
        public int Count, PartRows;
    }
}
