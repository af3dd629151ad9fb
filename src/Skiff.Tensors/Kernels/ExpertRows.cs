// N tokens, k experts chosen by each, D width
using System.Numerics;

namespace Skiff.Tensors;

/// <summary>
/// Rows on their way to experts and back: copied into the slots of <see cref="ExpertRouting"/>, where each expert's lie in one piece,
/// and added up by token. A token's choices are added in order: results are the same for any number of threads.
/// </summary>
public static unsafe class ExpertRows
{
    private const int PartValues = 1 << 14;

    /// <summary>y[slot] = x[rows[slot]].</summary>
    /// <param name="x">[N, D].</param>
    /// <param name="rows">[N k], the token in each slot.</param>
    /// <param name="y">[N k, D], overwritten.</param>
    /// <param name="team">Threads to share the slots; the process's own when null.</param>
    /// <exception cref="ArgumentException">Sizes differ.</exception>
    /// <exception cref="ArgumentOutOfRangeException">No such token.</exception>
    public static void Gather(MatrixView x, ReadOnlySpan<int> rows, MatrixView y, ThreadTeam? team = null) => EmbeddingLookup.Forward(x, rows, 1, y, team);

    /// <summary>dx[n] = sum over the token's choices c of dy[places[n, c]].</summary>
    /// <param name="dy">[N k, D].</param>
    /// <param name="places">[N, k], the slot of each choice.</param>
    /// <param name="dx">[N, D].</param>
    /// <param name="accumulate">Add to dx rather than overwrite it.</param>
    /// <param name="team">Threads to share the tokens; the process's own when null.</param>
    /// <exception cref="ArgumentException">Sizes differ.</exception>
    /// <exception cref="ArgumentOutOfRangeException">No such slot.</exception>
    public static void GatherBackward(MatrixView dy, ReadOnlySpan<int> places, MatrixView dx, bool accumulate = false, ThreadTeam? team = null)
    {
        Check(dy, places, dx);
        fixed (int* p = places)
        {
            Plan plan = new() { Slots = dy, Tokens = dx, Places = p, Accumulate = accumulate };
            Run(plan, &SumPart, team);
        }
    }

    /// <summary>out[n] = sum over the token's choices c of weights[n, c] y[places[n, c]].</summary>
    /// <param name="y">[N k, D], what the experts made of each slot.</param>
    /// <param name="weights">[N, k].</param>
    /// <param name="places">[N, k], the slot of each choice.</param>
    /// <param name="result">[N, D], overwritten.</param>
    /// <param name="team">Threads to share the tokens; the process's own when null.</param>
    /// <exception cref="ArgumentException">Sizes differ.</exception>
    /// <exception cref="ArgumentOutOfRangeException">No such slot.</exception>
    public static void Combine(MatrixView y, ReadOnlySpan<float> weights, ReadOnlySpan<int> places, MatrixView result, ThreadTeam? team = null)
    {
        Check(y, places, result);
        CheckWeights(weights.Length, places.Length);
        fixed (int* p = places)
        fixed (float* w = weights)
        {
            Plan plan = new() { Slots = y, Tokens = result, Places = p, Weights = w };
            Run(plan, &SumPart, team);
        }
    }

    /// <summary>dy[places[n, c]] = weights[n, c] dOut[n] and dWeights[n, c] = dOut[n] . y[places[n, c]].</summary>
    /// <param name="dOut">[N, D].</param>
    /// <param name="y">[N k, D], as given to the forward.</param>
    /// <param name="weights">[N, k].</param>
    /// <param name="places">[N, k], each slot once.</param>
    /// <param name="dy">[N k, D], overwritten; may be y.</param>
    /// <param name="dWeights">[N, k], overwritten.</param>
    /// <param name="team">Threads to share the tokens; the process's own when null.</param>
    /// <exception cref="ArgumentException">Sizes differ.</exception>
    /// <exception cref="ArgumentOutOfRangeException">No such slot.</exception>
    public static void CombineBackward(
        MatrixView dOut, MatrixView y, ReadOnlySpan<float> weights, ReadOnlySpan<int> places, MatrixView dy, Span<float> dWeights, ThreadTeam? team = null)
    {
        Check(y, places, dOut);
        Check(dy, places, dOut);
        CheckWeights(weights.Length, places.Length);
        CheckWeights(dWeights.Length, places.Length);
        fixed (int* p = places)
        fixed (float* w = weights, dw = dWeights)
        {
            Plan plan = new() { Slots = y, Tokens = dOut, Places = p, Weights = w, Target = dy, WeightTarget = dw };
            Run(plan, &CombineBackwardPart, team);
        }
    }

    private static void Run(Plan plan, delegate*<void*, int, void> work, ThreadTeam? team)
    {
        if (plan.Tokens.Rows == 0)
            return;
        plan.Chosen = plan.Slots.Rows / plan.Tokens.Rows;
        plan.PartRows = Math.Max(1, PartValues / Math.Max(1, plan.Chosen * plan.Tokens.Columns));
        (team ?? ThreadTeam.Default).Run((plan.Tokens.Rows + plan.PartRows - 1) / plan.PartRows, work, &plan);
    }

    private static void Check(MatrixView slots, ReadOnlySpan<int> places, MatrixView tokens)
    {
        if (slots.Rows != places.Length || slots.Columns != tokens.Columns || (tokens.Rows == 0 ? slots.Rows != 0 : slots.Rows % tokens.Rows != 0)
            || slots.ColumnStride != 1 || tokens.ColumnStride != 1)
        {
            throw new ArgumentException($"[{slots.Rows}, {slots.Columns}] in {places.Length} places for [{tokens.Rows}, {tokens.Columns}], or values of a row apart", nameof(slots));
        }

        foreach (int place in places)
        {
            if ((uint)place >= (uint)slots.Rows)
                throw new ArgumentOutOfRangeException(nameof(places), $"slot {place} of {slots.Rows}");
        }
    }

    private static void CheckWeights(int weights, int places)
    {
        if (weights != places)
            throw new ArgumentException($"{weights} weights for {places} places", nameof(weights));
    }

    private static void SumPart(void* state, int part)
    {
        Plan* plan = (Plan*)state;
        int columns = plan->Tokens.Columns, k = plan->Chosen;
        for (int n = part * plan->PartRows, end = Math.Min(plan->Tokens.Rows, n + plan->PartRows); n < end; n++)
        {
            float* target = plan->Tokens.Data + n * plan->Tokens.RowStride;
            long first = (long)n * k;
            int i = 0;
            for (; i <= columns - Vector<float>.Count; i += Vector<float>.Count)
            {
                Vector<float> sum = plan->Accumulate ? Vector.Load(target + i) : Vector<float>.Zero;
                for (int c = 0; c < k; c++)
                    sum += new Vector<float>(plan->WeightAt(first + c)) * Vector.Load(plan->Slot(first + c) + i);
                sum.Store(target + i);
            }

            // The values that fill no vector.
            for (; i < columns; i++)
            {
                float sum = plan->Accumulate ? target[i] : 0;
                for (int c = 0; c < k; c++)
                    sum += plan->WeightAt(first + c) * plan->Slot(first + c)[i];
                target[i] = sum;
            }
        }
    }

    private static void CombineBackwardPart(void* state, int part)
    {
        Plan* plan = (Plan*)state;
        int columns = plan->Tokens.Columns, k = plan->Chosen;
        for (int n = part * plan->PartRows, end = Math.Min(plan->Tokens.Rows, n + plan->PartRows); n < end; n++)
        {
            float* gradient = plan->Tokens.Data + n * plan->Tokens.RowStride;
            for (long choice = (long)n * k; choice < (n + 1L) * k; choice++)
            {
                float* y = plan->Slot(choice), target = plan->Target.Data + plan->Places[choice] * plan->Target.RowStride;
                float weight = plan->Weights[choice];
                Vector<float> sums = Vector<float>.Zero, factor = new(weight);
                int i = 0;
                for (; i <= columns - Vector<float>.Count; i += Vector<float>.Count)
                {
                    Vector<float> g = Vector.Load(gradient + i);
                    sums += g * Vector.Load(y + i);
                    (factor * g).Store(target + i);
                }

                float sum = Vector.Sum(sums);
                // The values that fill no vector.
                for (; i < columns; i++)
                {
                    sum += gradient[i] * y[i];
                    target[i] = weight * gradient[i];
                }

                plan->WeightTarget[choice] = sum;
            }
        }
    }

    // Adds to the result what its tokens' slots hold, in the kernel's order and roundings when T is float.
    internal static void Scalar<T>(ReadOnlySpan<T> y, int columns, ReadOnlySpan<T> weights, ReadOnlySpan<int> places, Span<T> result)
        where T : IFloatingPointIeee754<T>
    {
        for (int i = 0; i < result.Length; i++)
        {
            int k = places.Length * columns / result.Length;
            for (int choice = i / columns * k; choice < (i / columns + 1) * k; choice++)
                result[i] += weights[choice] * y[places[choice] * columns + i % columns];
        }
    }

    internal static void ScalarBackward(
        ReadOnlySpan<double> dOut, ReadOnlySpan<double> y, int columns, ReadOnlySpan<double> weights, ReadOnlySpan<int> places, Span<double> dy, Span<double> dWeights)
    {
        int k = places.Length * columns / dOut.Length;
        dWeights.Clear();
        for (int choice = 0; choice < places.Length; choice++)
        {
            for (int i = 0; i < columns; i++)
            {
                double gradient = dOut[choice / k * columns + i];
                dWeights[choice] += gradient * y[places[choice] * columns + i];
                dy[places[choice] * columns + i] = weights[choice] * gradient;
            }
        }
    }

    private struct Plan
    {
        public MatrixView Slots, Tokens, Target;
        public int* Places;
        public float* Weights, WeightTarget;
        public int Chosen, PartRows;
        public bool Accumulate;

        public readonly float* Slot(long choice) => Slots.Data + Places[choice] * Slots.RowStride;

        public readonly float WeightAt(long choice) => Weights is null ? 1 : Weights[choice];
    }
}
