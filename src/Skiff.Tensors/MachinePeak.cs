using System.Diagnostics;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Skiff.Tensors;

/// <summary>What the arithmetic units can do at most in single precision: fused multiply-adds between registers, no memory.</summary>
public static class MachinePeak
{
    // Twelve chains cover four steps of latency on two units, with some to spare.
    private const int Chains = 12;

    // About a fiftieth of a second: long enough to be exact, short enough to stand beside what is measured against it.
    private const long Steps = 1 << 21;

    private static readonly Action<int> s_part = _ => Run(Steps);

    /// <summary>Operations a second on all threads of a team together, measured now.</summary>
    public static double Measure(ThreadTeam? team = null)
    {
        team ??= ThreadTeam.Default;
        long start = Stopwatch.GetTimestamp();
        team.Run(team.Threads, s_part);
        return Operations(Steps) * team.Threads / Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    /// <summary>The best of several measurements: what the machine can do when nothing else runs.</summary>
    public static double Best(int measurements, ThreadTeam? team = null)
    {
        double best = 0;
        for (int i = 0; i < measurements; i++)
            best = Math.Max(best, Measure(team));
        return best;
    }

    /// <summary>Floating-point operations of <paramref name="steps"/> steps.</summary>
    internal static double Operations(long steps) => 2.0 * Chains * (Vector512.IsHardwareAccelerated ? 16 : Vector<float>.Count) * steps;

    /// <summary>Runs the loop in the widest vectors the processor has.</summary>
    internal static float Run(long steps) => Vector512.IsHardwareAccelerated ? Wide(steps) : Narrow(steps);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Wide(long steps)
    {
        Vector512<float> a = Vector512.Create(0.999f), b = Vector512.Create(0.001f);
        Vector512<float> c0 = a, c1 = a, c2 = a, c3 = a, c4 = a, c5 = a, c6 = a, c7 = a, c8 = a, c9 = a, c10 = a, c11 = a;
        for (; steps > 0; steps--)
        {
            c0 = Vector512.FusedMultiplyAdd(c0, a, b);
            c1 = Vector512.FusedMultiplyAdd(c1, a, b);
            c2 = Vector512.FusedMultiplyAdd(c2, a, b);
            c3 = Vector512.FusedMultiplyAdd(c3, a, b);
            c4 = Vector512.FusedMultiplyAdd(c4, a, b);
            c5 = Vector512.FusedMultiplyAdd(c5, a, b);
            c6 = Vector512.FusedMultiplyAdd(c6, a, b);
            c7 = Vector512.FusedMultiplyAdd(c7, a, b);
            c8 = Vector512.FusedMultiplyAdd(c8, a, b);
            c9 = Vector512.FusedMultiplyAdd(c9, a, b);
            c10 = Vector512.FusedMultiplyAdd(c10, a, b);
            c11 = Vector512.FusedMultiplyAdd(c11, a, b);
        }

        return Vector512.Sum(c0 + c1 + c2 + c3 + c4 + c5 + c6 + c7 + c8 + c9 + c10 + c11);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Narrow(long steps)
    {
        Vector<float> a = new(0.999f), b = new(0.001f);
        Vector<float> c0 = a, c1 = a, c2 = a, c3 = a, c4 = a, c5 = a, c6 = a, c7 = a, c8 = a, c9 = a, c10 = a, c11 = a;
        for (; steps > 0; steps--)
        {
            c0 = Vector.MultiplyAddEstimate(c0, a, b);
            c1 = Vector.MultiplyAddEstimate(c1, a, b);
            c2 = Vector.MultiplyAddEstimate(c2, a, b);
            c3 = Vector.MultiplyAddEstimate(c3, a, b);
            c4 = Vector.MultiplyAddEstimate(c4, a, b);
            c5 = Vector.MultiplyAddEstimate(c5, a, b);
            c6 = Vector.MultiplyAddEstimate(c6, a, b);
            c7 = Vector.MultiplyAddEstimate(c7, a, b);
            c8 = Vector.MultiplyAddEstimate(c8, a, b);
            c9 = Vector.MultiplyAddEstimate(c9, a, b);
            c10 = Vector.MultiplyAddEstimate(c10, a, b);
            c11 = Vector.MultiplyAddEstimate(c11, a, b);
        }

        return Vector.Sum(c0 + c1 + c2 + c3 + c4 + c5 + c6 + c7 + c8 + c9 + c10 + c11);
    }
}
