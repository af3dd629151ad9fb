// N rows, H heads, n unrotated, r rotated, v value part of a head
using System.Numerics;

namespace Skiff.Tensors;

/// <summary>
/// The keys of multi-head latent attention (arXiv 2405.04434, equations 15 and 17): each head's own unrotated part beside the one
/// rotated key that all heads share. Rows do not depend on each other: results are the same for any number of threads.
/// </summary>
public static unsafe class SharedKeys
{
    private const int PartValues = 1 << 14;

    /// <summary>keys[n, h] = (expanded[n, h]'s key part, shared[n]). The value parts stay where they are.</summary>
    /// <param name="expanded">[N, H (n + v)], each head's unrotated key, then its value; rows may be apart.</param>
    /// <param name="shared">[N, r], already rotated; may be a block of columns.</param>
    /// <param name="heads">H.</param>
    /// <param name="keys">[N, H (n + r)], overwritten.</param>
    /// <param name="team">Threads to share the rows; the process's own when null.</param>
    /// <exception cref="ArgumentException">Sizes do not fit each other, or the values of a row lie apart.</exception>
    public static void Forward(MatrixView expanded, MatrixView shared, int heads, MatrixView keys, ThreadTeam? team = null) =>
        Run(expanded, shared, heads, keys, &ForwardPart, team);

    /// <summary>dExpanded's key parts = dKeys' unrotated parts, its value parts untouched; dShared = the sum of dKeys' rotated parts over the heads.</summary>
    /// <param name="dKeys">[N, H (n + r)].</param>
    /// <param name="heads">H.</param>
    /// <param name="dExpanded">[N, H (n + v)], the key parts overwritten.</param>
    /// <param name="dShared">[N, r], overwritten; may be a block of columns.</param>
    /// <param name="team">Threads to share the rows; the process's own when null.</param>
    /// <exception cref="ArgumentException">Sizes do not fit each other, or the values of a row lie apart.</exception>
    public static void Backward(MatrixView dKeys, int heads, MatrixView dExpanded, MatrixView dShared, ThreadTeam? team = null) =>
        Run(dExpanded, dShared, heads, dKeys, &BackwardPart, team);

    private static void Run(MatrixView expanded, MatrixView shared, int heads, MatrixView keys, delegate*<void*, int, void> work, ThreadTeam? team)
    {
        int unrotated = heads < 1 ? -1 : keys.Columns / heads - shared.Columns;
        if (unrotated < 0 || keys.Columns % heads != 0 || expanded.Columns % heads != 0 || expanded.Columns / heads < unrotated
            || expanded.Rows != keys.Rows || shared.Rows != keys.Rows)
            throw new ArgumentException(
                $"keys [{keys.Rows}, {keys.Columns}] of {heads} heads from [{expanded.Rows}, {expanded.Columns}] and a shared key [{shared.Rows}, {shared.Columns}]", nameof(keys));
        if (Apart(expanded) || Apart(shared) || Apart(keys))
            throw new ArgumentException("the values of a row lie apart", nameof(keys));
        Plan plan = new()
        {
            Expanded = expanded,
            Shared = shared,
            Keys = keys,
            Heads = heads,
            Unrotated = unrotated,
            Rotated = shared.Columns,
            ExpandedHead = expanded.Columns / heads,
            PartRows = Math.Max(1, PartValues / Math.Max(1, keys.Columns)),
        };
        (team ?? ThreadTeam.Default).Run((keys.Rows + plan.PartRows - 1) / plan.PartRows, work, &plan);
    }

    private static bool Apart(MatrixView matrix) => matrix.ColumnStride != 1 && matrix.Columns > 1;

    private static void ForwardPart(void* state, int part)
    {
        Plan* plan = (Plan*)state;
        for (int row = part * plan->PartRows, end = Math.Min(plan->Keys.Rows, row + plan->PartRows); row < end; row++)
        {
            float* expanded = plan->Expanded.Data + row * plan->Expanded.RowStride, keys = plan->Keys.Data + row * plan->Keys.RowStride;
            ReadOnlySpan<float> shared = new(plan->Shared.Data + row * plan->Shared.RowStride, plan->Rotated);
            for (int h = 0; h < plan->Heads; h++, expanded += plan->ExpandedHead, keys += plan->Unrotated + plan->Rotated)
            {
                new ReadOnlySpan<float>(expanded, plan->Unrotated).CopyTo(new Span<float>(keys, plan->Unrotated));
                shared.CopyTo(new Span<float>(keys + plan->Unrotated, plan->Rotated));
            }
        }
    }

    private static void BackwardPart(void* state, int part)
    {
        Plan* plan = (Plan*)state;
        int head = plan->Unrotated + plan->Rotated;
        for (int row = part * plan->PartRows, end = Math.Min(plan->Keys.Rows, row + plan->PartRows); row < end; row++)
        {
            float* expanded = plan->Expanded.Data + row * plan->Expanded.RowStride, keys = plan->Keys.Data + row * plan->Keys.RowStride;
            float* shared = plan->Shared.Data + row * plan->Shared.RowStride;
            for (int h = 0; h < plan->Heads; h++)
                new ReadOnlySpan<float>(keys + h * head, plan->Unrotated).CopyTo(new Span<float>(expanded + h * plan->ExpandedHead, plan->Unrotated));
            // The last vector may hold fewer values.
            for (int i = 0; i < plan->Rotated; i += Vector<float>.Count)
            {
                int rest = plan->Rotated - i;
                Vector<float> sum = Vector<float>.Zero;
                for (int h = 0; h < plan->Heads; h++)
                    sum += VectorFunctions.Load(keys + h * head + plan->Unrotated + i, rest);
                VectorFunctions.Store(sum, shared + i, rest);
            }
        }
    }

    // The twins of one row.
    internal static void Scalar<T>(ReadOnlySpan<T> expanded, ReadOnlySpan<T> shared, int heads, Span<T> keys)
        where T : IFloatingPointIeee754<T>
    {
        int head = keys.Length / heads, unrotated = head - shared.Length;
        for (int i = 0; i < keys.Length; i++)
            keys[i] = i % head < unrotated ? expanded[i / head * (expanded.Length / heads) + i % head] : shared[i % head - unrotated];
    }

    internal static void ScalarBackward<T>(ReadOnlySpan<T> dKeys, int heads, Span<T> dExpanded, Span<T> dShared)
        where T : IFloatingPointIeee754<T>
    {
        int head = dKeys.Length / heads, unrotated = head - dShared.Length;
        dShared.Clear();
        for (int i = 0; i < dKeys.Length; i++)
        {
            if (i % head < unrotated)
                dExpanded[i / head * (dExpanded.Length / heads) + i % head] = dKeys[i];
            else
                dShared[i % head - unrotated] += dKeys[i];
        }
    }

    private struct Plan
    {
        public MatrixView Expanded, Shared, Keys;
        public int Heads, Unrotated, Rotated, ExpandedHead, PartRows;
    }
}
