namespace Skiff.Tensors;

/// <summary>
/// The scalar twin of <see cref="ExpertRouting"/> in double precision. Choices, once made, are given: values and gradients hold for them.
/// </summary>
internal static class PlainExpertRouting
{
    /// <summary>[N, E], the softmax of each row of logits.</summary>
    public static double[] Probabilities(double[] logits, int count)
    {
        double[] p = [.. logits];
        for (int n = 0; n < p.Length; n += count)
            Elementwise.Softmax(p.AsSpan(n, count));
        return p;
    }

    /// <summary>[N, k], the likeliest experts of each token; a stable sort keeps equals in order.</summary>
    public static int[] Choose(double[] probabilities, int count, int chosen) =>
        [.. probabilities.Chunk(count).SelectMany(p => Enumerable.Range(0, count).OrderByDescending(e => p[e]).Take(chosen))];

    /// <summary>[N, k], p of each choice over the sum of the token's choices.</summary>
    public static double[] Weights(double[] probabilities, int count, int chosen, int[] experts)
    {
        return [.. Enumerable.Range(0, experts.Length).Select(i => At(i) / Enumerable.Range(i / chosen * chosen, chosen).Sum(At))];

        double At(int choice) => probabilities[choice / chosen * count + experts[choice]];
    }

    /// <summary>The balance loss and the z-loss.</summary>
    public static (double Balance, double Z) Losses(double[] logits, int count, int[] experts)
    {
        double[] p = Probabilities(logits, count);
        double balance = 0, z = 0, tokens = logits.Length / count;
        for (int e = 0; e < count; e++)
            balance += count * (experts.Count(x => x == e) / (double)experts.Length) * (p.Where((_, i) => i % count == e).Sum() / tokens);
        foreach (double[] row in logits.Chunk(count))
            z += Math.Pow(Math.Log(row.Sum(Math.Exp)), 2) / tokens;
        return (balance, z);
    }

    /// <summary>The gradient by the logits: first by p, through weights and balance loss, then through each row's softmax.</summary>
    public static double[] Backward(double[] logits, int count, int chosen, int[] experts, double[] dWeights, double balanceCoefficient, double zCoefficient)
    {
        double[] p = Probabilities(logits, count), weights = Weights(p, count, chosen, experts), dp = new double[p.Length], dLogits = new double[p.Length];
        int tokens = logits.Length / count;
        for (int i = 0; i < dp.Length; i++)
            dp[i] = balanceCoefficient * count * experts.Count(e => e == i % count) / experts.Length / tokens;
        for (int n = 0; n < tokens; n++)
        {
            double total = 0, logSum = Math.Log(logits[(n * count)..((n + 1) * count)].Sum(Math.Exp));
            for (int c = n * chosen; c < (n + 1) * chosen; c++)
                total += p[n * count + experts[c]];
            // Each weight falls with every chosen share and rises with its own.
            for (int c = n * chosen; c < (n + 1) * chosen; c++)
                for (int other = n * chosen; other < (n + 1) * chosen; other++)
                    dp[n * count + experts[other]] += dWeights[c] * ((c == other ? 1 : 0) - weights[c]) / total;
            for (int i = n * count; i < (n + 1) * count; i++)
                for (int j = n * count; j < (n + 1) * count; j++)
                    dLogits[j] += dp[i] * p[i] * ((i == j ? 1 : 0) - p[j]);
            for (int i = n * count; i < (n + 1) * count; i++)
                dLogits[i] += 2 * zCoefficient * logSum * p[i] / tokens;
        }

        return dLogits;
    }
}
