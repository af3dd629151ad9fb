// N rows, F feed-forward
using System.Numerics;

namespace Skiff.Tensors;

/// <summary>
/// The nonlinearity of a feed-forward, plain h = f(g) or gated h = f(g) u (Shazeer, arXiv 2002.05202), and its gradients. Values do
/// not depend on each other: results are the same for any number of threads.
/// </summary>
public static unsafe class FeedForwardActivation
{
    // Values that one part covers: enough to hide what a part costs.
    private const int PartValues = 1 << 13;

    /// <summary>h = f(gate) up, or f(gate) without an up. Rows may be apart, as halves of one product are; h may be gate or up.</summary>
    /// <param name="activation">f.</param>
    /// <param name="gate">[N, F].</param>
    /// <param name="up">[N, F], or null for the plain form.</param>
    /// <param name="h">[N, F], overwritten.</param>
    /// <param name="team">Threads to share the rows; the process's own when null.</param>
    /// <exception cref="ArgumentException">Sizes differ, or the values of a row lie apart.</exception>
    public static void Forward(Activation activation, MatrixView gate, MatrixView? up, MatrixView h, ThreadTeam? team = null) =>
        Run(activation, new Plan { Gate = gate, Up = up ?? default, Target = h, Gated = up is not null }, team);

    /// <summary>
    /// dGate = dh up f'(gate) and dUp = dh f(gate), overwritten; without an up dGate = dh f'(gate). Targets may be the memory of
    /// their factors or of dh: each value is read before it is written.
    /// </summary>
    /// <param name="activation">f.</param>
    /// <param name="dh">[N, F].</param>
    /// <param name="gate">[N, F], as given to the forward.</param>
    /// <param name="up">[N, F], or null.</param>
    /// <param name="dGate">[N, F].</param>
    /// <param name="dUp">[N, F], null exactly where up is.</param>
    /// <param name="team">Threads to share the rows; the process's own when null.</param>
    /// <exception cref="ArgumentException">Sizes differ, only one of up and dUp is given, or the values of a row lie apart.</exception>
    public static void Backward(
        Activation activation, MatrixView dh, MatrixView gate, MatrixView? up, MatrixView dGate, MatrixView? dUp, ThreadTeam? team = null)
    {
        if (up is null != dUp is null)
            throw new ArgumentException("up and its gradient belong together", nameof(dUp));
        Run(activation, new Plan { Gate = gate, Up = up ?? default, Target = dGate, UpTarget = dUp ?? default, Gradient = dh, Gated = up is not null, Backward = true }, team);
    }

    private static void Run(Activation activation, Plan plan, ThreadTeam? team)
    {
        Check(plan.Gate, plan.Gate);
        Check(plan.Gate, plan.Target);
        if (plan.Gated)
            Check(plan.Gate, plan.Up);
        if (plan.Backward)
            Check(plan.Gate, plan.Gradient);
        if (plan.Gated && plan.Backward)
            Check(plan.Gate, plan.UpTarget);
        plan.PartRows = Math.Max(1, PartValues / Math.Max(1, plan.Gate.Columns));
        delegate*<void*, int, void> work = activation switch
        {
            Activation.Silu => &Part<SiluActivation>,
            Activation.Gelu => &Part<GeluActivation>,
            Activation.GeluTanh => &Part<GeluTanhActivation>,
            Activation.Relu => &Part<ReluActivation>,
            Activation.Relu2 => &Part<Relu2Activation>,
            Activation.QuickGelu => &Part<QuickGeluActivation>,
            _ => throw new ArgumentOutOfRangeException(nameof(activation), activation, "unknown"),
        };
        (team ?? ThreadTeam.Default).Run((plan.Gate.Rows + plan.PartRows - 1) / plan.PartRows, work, &plan);
    }

    private static void Check(MatrixView gate, MatrixView other)
    {
        if (other.Rows != gate.Rows || other.Columns != gate.Columns || (other.ColumnStride != 1 && other.Columns > 1))
            throw new ArgumentException($"[{other.Rows}, {other.Columns}] beside a gate of [{gate.Rows}, {gate.Columns}], or values of a row apart", nameof(other));
    }

    private static void Part<T>(void* state, int part)
        where T : struct, IActivation
    {
        Plan* plan = (Plan*)state;
        int columns = plan->Gate.Columns;
        for (int row = part * plan->PartRows, end = Math.Min(plan->Gate.Rows, row + plan->PartRows); row < end; row++)
        {
            int i = 0;
            for (; i <= columns - Vector<float>.Count; i += Vector<float>.Count)
                Step<T>(plan, row, i);
            // The values that fill no vector are moved to one.
            if (i < columns)
                LastStep<T>(plan, row, i, columns - i);
        }
    }

    private static void Step<T>(Plan* plan, int row, int column)
        where T : struct, IActivation
    {
        Vector<float> value = T.Evaluate(Vector.Load(At(plan->Gate, row, column)), out Vector<float> slope);
        Vector<float> up = plan->Gated ? Vector.Load(At(plan->Up, row, column)) : Vector<float>.One;
        if (!plan->Backward)
        {
            (value * up).Store(At(plan->Target, row, column));
            return;
        }

        Vector<float> gradient = Vector.Load(At(plan->Gradient, row, column));
        (gradient * up * slope).Store(At(plan->Target, row, column));
        if (plan->Gated)
            (gradient * value).Store(At(plan->UpTarget, row, column));
    }

    private static void LastStep<T>(Plan* plan, int row, int column, int count)
        where T : struct, IActivation
    {
        Vector<float> value = T.Evaluate(VectorFunctions.LoadFirst(At(plan->Gate, row, column), count), out Vector<float> slope);
        Vector<float> up = plan->Gated ? VectorFunctions.LoadFirst(At(plan->Up, row, column), count) : Vector<float>.One;
        if (!plan->Backward)
        {
            VectorFunctions.StoreFirst(value * up, At(plan->Target, row, column), count);
            return;
        }

        Vector<float> gradient = VectorFunctions.LoadFirst(At(plan->Gradient, row, column), count);
        VectorFunctions.StoreFirst(gradient * up * slope, At(plan->Target, row, column), count);
        if (plan->Gated)
            VectorFunctions.StoreFirst(gradient * value, At(plan->UpTarget, row, column), count);
    }

    private static float* At(in MatrixView matrix, int row, int column) => matrix.Data + row * matrix.RowStride + column;

    /// <summary>The scalar twin of one value: f and f'.</summary>
    internal static (double Value, double Slope) Scalar(Activation activation, double x) => activation switch
    {
        Activation.Silu => SiluActivation.Evaluate(x),
        Activation.Gelu => GeluActivation.Evaluate(x),
        Activation.GeluTanh => GeluTanhActivation.Evaluate(x),
        Activation.Relu => ReluActivation.Evaluate(x),
        Activation.Relu2 => Relu2Activation.Evaluate(x),
        _ => QuickGeluActivation.Evaluate(x),
    };

    private struct Plan
    {
        public MatrixView Gate, Up, Target, UpTarget, Gradient;
        public bool Gated, Backward;
        public int PartRows;
    }
}
