// N tokens, E experts, k of them chosen by each token
using System.Numerics;

namespace Skiff.Tensors;

/// <summary>
/// The router of a mixture of experts: p = softmax(logits) over all experts, the k largest of them, renormalised to a sum of 1
/// (Jiang et al., arXiv 2401.04088, section 2.1), and the order in which each expert finds its tokens in one piece. Choices are made
/// in double precision, as the plain decoder makes them. Results are the same for any number of threads.
/// </summary>
public static unsafe class ExpertRouting
{
    // An exponential in double precision costs as much as some tens of plain values.
    private const int PartValues = 1 << 10;

    // Partial sums of the losses: enough for any machine, few enough to add up at the end.
    private const int MostPartials = 64, LeastPartialRows = 16;

    /// <summary>
    /// Chooses experts and sorts the N k choices into slots: the tokens of expert e, in rising order, take the slots from
    /// starts[e] up to starts[e + 1].
    /// </summary>
    /// <param name="logits">[N, E].</param>
    /// <param name="chosen">k, from 1 to E. With 1 every weight is 1.</param>
    /// <param name="probabilities">[N, E], p, overwritten.</param>
    /// <param name="experts">[N, k] overwritten: each token's experts, the likeliest first; of equals the lower index.</param>
    /// <param name="weights">[N, k] overwritten: p of each chosen expert, over their sum.</param>
    /// <param name="rows">[N k] overwritten: the token in each slot.</param>
    /// <param name="places">[N, k] overwritten: the slot of each choice.</param>
    /// <param name="starts">[E + 1], overwritten.</param>
    /// <param name="team">Threads to share the tokens; the process's own when null.</param>
    /// <exception cref="ArgumentException">Sizes differ.</exception>
    /// <exception cref="ArgumentOutOfRangeException">k is not from 1 to E.</exception>
    public static void Forward(
        MatrixView logits, int chosen, Span<float> probabilities, Span<int> experts, Span<float> weights,
        Span<int> rows, Span<int> places, Span<int> starts, ThreadTeam? team = null)
    {
        Check(logits, chosen, probabilities.Length, experts.Length, starts.Length);
        if (weights.Length != experts.Length || rows.Length != experts.Length || places.Length != experts.Length)
            throw new ArgumentException($"{weights.Length} weights, {rows.Length} rows and {places.Length} places for {experts.Length} choices", nameof(weights));
        fixed (float* p = probabilities, w = weights)
        fixed (int* e = experts)
        {
            Plan plan = new() { Logits = logits, Chosen = chosen, Probabilities = p, Experts = e, Weights = w, PartRows = Math.Max(1, PartValues / logits.Columns) };
            (team ?? ThreadTeam.Default).Run((logits.Rows + plan.PartRows - 1) / plan.PartRows, &ForwardPart, &plan);
        }

        ExpertChoice.Sort(experts, chosen, rows, places, starts);
    }

    /// <summary>
    /// What keeps a router in order. Balance: E sum f_e P_e, f_e being the share of the N k choices that fell on e and P_e the mean of
    /// its p; 1 when all are alike (Fedus et al., arXiv 2101.03961, equations 4 to 6). Z: the mean over the tokens of the square of
    /// log sum e^logits (Zoph et al., arXiv 2202.08906, equation 5). Both are 0 without tokens. Hugging Face's code of Mixtral adds f_e up
    /// over the k choices: its balance loss is k times this one.
    /// </summary>
    /// <param name="logits">[N, E], as given to the forward.</param>
    /// <param name="chosen">k.</param>
    /// <param name="probabilities">[N, E], from the forward.</param>
    /// <param name="experts">[N, k], from the forward.</param>
    /// <param name="starts">[E + 1], from the forward.</param>
    /// <param name="team">Threads to share the tokens; the process's own when null.</param>
    /// <exception cref="ArgumentException">Sizes differ.</exception>
    /// <exception cref="ArgumentOutOfRangeException">k is not from 1 to E, or there is no such expert.</exception>
    public static (double Balance, double Z) Losses(
        MatrixView logits, int chosen, ReadOnlySpan<float> probabilities, ReadOnlySpan<int> experts, ReadOnlySpan<int> starts, ThreadTeam? team = null)
    {
        Check(logits, chosen, probabilities.Length, experts.Length, starts.Length);
        CheckExperts(experts, logits.Columns);
        int count = logits.Columns;
        double balance = 0, z = 0;
        fixed (float* p = probabilities)
        fixed (int* e = experts)
        {
            Plan plan = new() { Logits = logits, Chosen = chosen, Probabilities = p, Experts = e };
            plan.PartRows = Math.Max(LeastPartialRows, (logits.Rows + MostPartials - 1) / MostPartials);
            int parts = (logits.Rows + plan.PartRows - 1) / plan.PartRows;
            plan.Partials = (double*)Scratch.Shared(2L * parts * (count + 1));
            (team ?? ThreadTeam.Default).Run(parts, &LossPart, &plan);
            for (int part = 0; part < parts; part++)
            {
                double* sums = plan.Partials + (long)part * (count + 1);
                for (int expert = 0; expert < count; expert++)
                    balance += sums[expert] / logits.Rows * Share(starts, expert, experts.Length);
                z += sums[count] / logits.Rows;
            }
        }

        return (count * balance, z);
    }

    /// <summary>
    /// The gradient of what follows through the weights, plus each coefficient times the gradient of its loss. Which experts were
    /// chosen, and so f_e, counts as constant; with k = 1 the weights are too.
    /// </summary>
    /// <param name="logits">[N, E], as given to the forward.</param>
    /// <param name="chosen">k.</param>
    /// <param name="probabilities">[N, E], from the forward.</param>
    /// <param name="experts">[N, k], from the forward.</param>
    /// <param name="weights">[N, k], from the forward.</param>
    /// <param name="dWeights">[N, k].</param>
    /// <param name="starts">[E + 1], from the forward.</param>
    /// <param name="balanceCoefficient">Factor of the balance loss's gradient.</param>
    /// <param name="zCoefficient">Factor of the z-loss's gradient.</param>
    /// <param name="dLogits">[N, E], overwritten; may be logits.</param>
    /// <param name="team">Threads to share the tokens; the process's own when null.</param>
    /// <exception cref="ArgumentException">Sizes differ.</exception>
    /// <exception cref="ArgumentOutOfRangeException">k is not from 1 to E, or there is no such expert.</exception>
    public static void Backward(
        MatrixView logits, int chosen, ReadOnlySpan<float> probabilities, ReadOnlySpan<int> experts, ReadOnlySpan<float> weights, ReadOnlySpan<float> dWeights,
        ReadOnlySpan<int> starts, double balanceCoefficient, double zCoefficient, MatrixView dLogits, ThreadTeam? team = null)
    {
        Check(logits, chosen, probabilities.Length, experts.Length, starts.Length);
        Check(dLogits, chosen, probabilities.Length, experts.Length, starts.Length);
        CheckExperts(experts, logits.Columns);
        if (weights.Length != experts.Length || dWeights.Length != experts.Length)
            throw new ArgumentException($"{weights.Length} weights and {dWeights.Length} gradients for {experts.Length} choices", nameof(dWeights));
        int count = logits.Columns;
        fixed (float* p = probabilities, w = weights, dw = dWeights)
        fixed (int* e = experts)
        {
            Plan plan = new() { Logits = logits, Chosen = chosen, Probabilities = p, Experts = e, Weights = w, WeightGradients = dw, Target = dLogits };
            plan.PartRows = Math.Max(LeastPartialRows, PartValues / count);
            plan.Slopes = Scratch.Shared(count);
            // The balance loss's gradient by p, the same for every token.
            for (int expert = 0; expert < count; expert++)
                plan.Slopes[expert] = (float)(balanceCoefficient * count * Share(starts, expert, experts.Length) / logits.Rows);
            plan.LogSumFactor = 2 * zCoefficient / logits.Rows;
            (team ?? ThreadTeam.Default).Run((logits.Rows + plan.PartRows - 1) / plan.PartRows, &BackwardPart, &plan);
        }
    }

    private static double Share(ReadOnlySpan<int> starts, int expert, int choices) => (starts[expert + 1] - starts[expert]) / (double)choices;

    private static void Check(MatrixView logits, int chosen, int probabilities, int experts, int starts)
    {
        if (chosen < 1 || chosen > logits.Columns)
            throw new ArgumentOutOfRangeException(nameof(chosen), $"{chosen} of {logits.Columns} experts");
        if (logits.ColumnStride != 1 || probabilities != (long)logits.Rows * logits.Columns || experts != (long)logits.Rows * chosen || starts != logits.Columns + 1L)
            throw new ArgumentException($"{probabilities} probabilities, {experts} choices and {starts} starts for [{logits.Rows}, {logits.Columns}], {chosen} chosen, or values of a row apart", nameof(logits));
    }

    private static void CheckExperts(ReadOnlySpan<int> experts, int count)
    {
        foreach (int expert in experts)
        {
            if ((uint)expert >= (uint)count)
                throw new ArgumentOutOfRangeException(nameof(experts), $"expert {expert} of {count}");
        }
    }

    private static void ForwardPart(void* state, int part)
    {
        Plan* plan = (Plan*)state;
        int count = plan->Logits.Columns, k = plan->Chosen;
        Span<double> shares = new((double*)Scratch.Own(2L * count), count);
        for (int n = part * plan->PartRows, end = Math.Min(plan->Logits.Rows, n + plan->PartRows); n < end; n++)
        {
            float* z = plan->Logits.Data + n * plan->Logits.RowStride, p = plan->Probabilities + (long)n * count, weights = plan->Weights + (long)n * k;
            for (int e = 0; e < count; e++)
                shares[e] = z[e];
            Elementwise.Softmax(shares);
            for (int e = 0; e < count; e++)
                p[e] = (float)shares[e];
            Span<int> chosen = new(plan->Experts + (long)n * k, k);
            ExpertChoice.Largest(shares, chosen);
            double total = 0;
            foreach (int e in chosen)
                total += shares[e];
            for (int c = 0; c < k; c++)
                weights[c] = (float)(shares[chosen[c]] / total);
        }
    }

    // Sums over the part's tokens: p of each expert, then the square of log sum e^logits.
    private static void LossPart(void* state, int part)
    {
        Plan* plan = (Plan*)state;
        int count = plan->Logits.Columns;
        double* sums = plan->Partials + (long)part * (count + 1);
        new Span<double>(sums, count + 1).Clear();
        for (int n = part * plan->PartRows, end = Math.Min(plan->Logits.Rows, n + plan->PartRows); n < end; n++)
        {
            float* p = plan->Probabilities + (long)n * count;
            for (int e = 0; e < count; e++)
                sums[e] += p[e];
            double logSum = plan->LogSum(n);
            sums[count] += logSum * logSum;
        }
    }

    // Through the softmax: p (slope - mean slope). Renormalised shares are a softmax of the chosen logits alone.
    private static void BackwardPart(void* state, int part)
    {
        Plan* plan = (Plan*)state;
        int count = plan->Logits.Columns, k = plan->Chosen, whole = count - count % Vector<float>.Count;
        float* slopes = plan->Slopes;
        for (int n = part * plan->PartRows, end = Math.Min(plan->Logits.Rows, n + plan->PartRows); n < end; n++)
        {
            float* p = plan->Probabilities + (long)n * count, target = plan->Target.Data + n * plan->Target.RowStride;
            float* weights = plan->Weights + (long)n * k, gradients = plan->WeightGradients + (long)n * k;
            Vector<float> sums = Vector<float>.Zero;
            for (int e = 0; e < whole; e += Vector<float>.Count)
                sums += Vector.Load(p + e) * Vector.Load(slopes + e);
            float mean = Vector.Sum(sums);
            // The values that fill no vector, in this pass and the next.
            for (int e = whole; e < count; e++)
                mean += p[e] * slopes[e];

            float shift = (float)(plan->LogSumFactor * plan->LogSum(n) - mean);
            Vector<float> shifts = new(shift);
            for (int e = 0; e < whole; e += Vector<float>.Count)
                (Vector.Load(p + e) * (Vector.Load(slopes + e) + shifts)).Store(target + e);
            for (int e = whole; e < count; e++)
                target[e] = p[e] * (slopes[e] + shift);

            double dot = 0;
            for (int c = 0; c < k; c++)
                dot += (double)weights[c] * gradients[c];
            for (int c = 0; c < k; c++)
                target[plan->Experts[(long)n * k + c]] += (float)(weights[c] * (gradients[c] - dot));
        }
    }

    private struct Plan
    {
        public MatrixView Logits, Target;
        public int* Experts;
        public float* Probabilities, Weights, WeightGradients, Slopes;
        public double* Partials;
        public double LogSumFactor;
        public int Chosen, PartRows;

        // log sum e^logits is z - log p of any expert; of the likeliest it is exact to single precision.
        public readonly double LogSum(int n)
        {
            int e = Experts[(long)n * Chosen];
            return Logits.Data[n * Logits.RowStride + e] - Math.Log(Probabilities[(long)n * Logits.Columns + e]);
        }
    }
}
