// N rows, F feed-forward
using System.Numerics;
using System.Runtime.Intrinsics;

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
        plan.Wide = IsaChoice.Current == Isa.Avx512;
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
        for (int row = part * plan->PartRows, end = Math.Min(plan->Gate.Rows, row + plan->PartRows); row < end; row++)
        {
            if (plan->Backward)
                BackwardRow<T>(plan, row);
            else
                ForwardRow<T>(plan, row);
        }
    }

    private static void ForwardRow<T>(Plan* plan, int row)
        where T : struct, IActivation
    {
        int columns = plan->Gate.Columns;
        float* gate = At(plan->Gate, row), up = plan->Gated ? At(plan->Up, row) : null, target = At(plan->Target, row);
        int i = 0;
        for (; typeof(T) == typeof(SiluActivation) && plan->Wide && i <= columns - Vector512<float>.Count; i += Vector512<float>.Count)
        {
            Vector512<float> value = SiluActivation.Evaluate(Vector512.Load(gate + i), out _);
            (up is null ? value : value * Vector512.Load(up + i)).Store(target + i);
        }

        for (; i < columns; i += Vector<float>.Count)
        {
            int rest = columns - i;
            Vector<float> value = T.Evaluate(VectorFunctions.Load(gate + i, rest), out _);
            VectorFunctions.Store(up is null ? value : value * VectorFunctions.Load(up + i, rest), target + i, rest);
        }
    }

    private static void BackwardRow<T>(Plan* plan, int row)
        where T : struct, IActivation
    {
        int columns = plan->Gate.Columns;
        float* gate = At(plan->Gate, row), target = At(plan->Target, row), gradients = At(plan->Gradient, row);
        float* up = plan->Gated ? At(plan->Up, row) : null, upTarget = plan->Gated ? At(plan->UpTarget, row) : null;
        int i = 0;
        for (; typeof(T) == typeof(SiluActivation) && plan->Wide && i <= columns - Vector512<float>.Count; i += Vector512<float>.Count)
        {
            Vector512<float> value = SiluActivation.Evaluate(Vector512.Load(gate + i), out Vector512<float> slope), gradient = Vector512.Load(gradients + i);
            slope *= gradient;
            if (up is not null)
            {
                slope *= Vector512.Load(up + i);
                (gradient * value).Store(upTarget + i);
            }

            slope.Store(target + i);
        }

        for (; i < columns; i += Vector<float>.Count)
        {
            int rest = columns - i;
            Vector<float> value = T.Evaluate(VectorFunctions.Load(gate + i, rest), out Vector<float> slope), gradient = VectorFunctions.Load(gradients + i, rest);
            Vector<float> inner = gradient * slope;
            if (up is not null)
            {
                inner *= VectorFunctions.Load(up + i, rest);
                VectorFunctions.Store(gradient * value, upTarget + i, rest);
            }

            VectorFunctions.Store(inner, target + i, rest);
        }
    }

    private static float* At(in MatrixView matrix, int row) => matrix.Data + row * matrix.RowStride;

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
        public bool Gated, Backward, Wide;
        public int PartRows;
    }
}
