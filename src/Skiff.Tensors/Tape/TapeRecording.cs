// B batch, T time, D model, F feed-forward
namespace Skiff.Tensors;

/// <summary>The operations that a tape can record.</summary>
public sealed unsafe partial class Tape
{
    /// <summary>scale table[ids[n]] for each token; the ids are read anew in every pass.</summary>
    public TapeValue Embedding(TapeParameter table, int[] ids, float scale = 1)
    {
        TapeValue output = Value("embedding", ids.Length, table.Value.Columns, table.Trainable);
        Record(new EmbeddingOperation(table, ids, scale, output));
        return output;
    }

    /// <summary>x W^T + b.</summary>
    /// <param name="input">[N, inputs].</param>
    /// <param name="weight">[outputs, inputs].</param>
    /// <param name="bias">[1, outputs] or null.</param>
    /// <param name="gradient">The output gets a gradient even where nothing before it is trainable, as something trainable is added to it.</param>
    public TapeValue Linear(TapeValue input, TapeParameter weight, TapeParameter? bias = null, bool gradient = false)
    {
        bool needed = gradient || input.NeedsGradient || weight.Trainable || bias is { Trainable: true };
        TapeValue output = Value("linear", input.Rows, weight.Value.Rows, needed);
        Record(new LinearOperation(input, weight, bias, output, accumulate: false));
        return output;
    }

    /// <summary>y += x W^T in place (LoRA, arXiv 2106.09685).</summary>
    public void AddLinear(TapeValue output, TapeValue input, TapeParameter weight) =>
        Record(new LinearOperation(input, weight, null, output, accumulate: true));

    /// <summary>RMSNorm or LayerNorm over equal groups of columns.</summary>
    /// <param name="input">[N, groups * size].</param>
    /// <param name="gains">None, one for all groups, or one a group; [1, size].</param>
    /// <param name="bias">[1, size] or null.</param>
    /// <param name="settings">Kind, epsilon and gain offset.</param>
    /// <param name="groups">Heads, or 1.</param>
    public TapeValue Norm(TapeValue input, IReadOnlyList<TapeParameter> gains, TapeParameter? bias, NormSettings settings, int groups = 1)
    {
        bool needed = input.NeedsGradient || gains.Any(gain => gain.Trainable) || bias is { Trainable: true };
        TapeValue output = Value("norm", input.Rows, input.Columns, needed);
        Record(new NormOperation(input, gains, bias, settings, groups, output));
        return output;
    }

    /// <summary>x + scale branch. Nothing may read x after this.</summary>
    public TapeValue Residual(TapeValue input, TapeValue branch, float scale)
    {
        TapeBuffer data = new("residual", (long)input.Rows * input.Columns);
        TapeBuffer? gradient = input.GradientBuffer ?? (branch.NeedsGradient ? new TapeBuffer("d residual", data.Count) : null);
        TapeValue output = new(data, gradient, input.Rows, input.Columns);
        Record(new ResidualOperation(input, branch, scale, output));
        return output;
    }

    /// <summary>Turns queries or keys in place.</summary>
    /// <param name="value">[N, heads * headDim].</param>
    /// <param name="rotary">Tables.</param>
    /// <param name="headDim">Values of a head.</param>
    /// <param name="positions">[N] positions, read anew in every pass.</param>
    /// <param name="offset">First turned value of a head.</param>
    public void Rotary(TapeValue value, RotaryEmbedding rotary, int headDim, int[] positions, int offset = 0) =>
        Record(new RotaryOperation(value, rotary, headDim, offset, positions));

    /// <summary>Softmax attention over what <paramref name="visibility"/> shows, which is read anew in every pass.</summary>
    /// <returns>[B T, heads * value head].</returns>
    public TapeValue Attention(HeadColumns query, HeadColumns key, HeadColumns value, AttentionSettings settings, Visibility[] visibility, int batch, float[]? slopes = null)
    {
        bool needed = query.Value.NeedsGradient || key.Value.NeedsGradient || value.Value.NeedsGradient;
        TapeValue output = Value("attention", query.Value.Rows, query.Heads * value.HeadDim, needed);
        Record(new AttentionOperation(query, key, value, settings, visibility, slopes ?? [], batch, output));
        return output;
    }

    /// <summary>f(gate) up, or f(gate).</summary>
    public TapeValue Activation(Activation activation, TapeValue gate, TapeValue? up)
    {
        TapeValue output = Value("activation", gate.Rows, gate.Columns, gate.NeedsGradient || up is { NeedsGradient: true });
        Record(new ActivationOperation(activation, gate, up, output));
        return output;
    }

    /// <summary>x = factor x in place.</summary>
    public void Scale(TapeValue value, float factor) => Record(new ScaleOperation(value, factor));

    /// <summary>Each row times a factor of its own, in place; factors [N] are read anew in every pass.</summary>
    public void RowScale(TapeValue value, float[] factors) => Record(new RowScaleOperation(value, factors));

    /// <summary>x within -bound and bound.</summary>
    public TapeValue Clip(TapeValue input, float bound)
    {
        TapeValue output = Value("clip", input.Rows, input.Columns, input.NeedsGradient);
        Record(new ClipOperation(input, bound, output));
        return output;
    }

    /// <summary>Keys of latent attention: each head's own part of <paramref name="expanded"/> beside the shared one.</summary>
    /// <param name="expanded">[N, heads (own + value)].</param>
    /// <param name="shared">[N, rotated].</param>
    /// <param name="heads">Heads.</param>
    /// <param name="own">Unrotated values of a head's key.</param>
    public TapeValue SharedKeys(TapeValue expanded, TapeValue shared, int heads, int own)
    {
        TapeValue output = Value("keys", expanded.Rows, heads * (own + shared.Columns), expanded.NeedsGradient || shared.NeedsGradient);
        Record(new SharedKeysOperation(expanded, shared, heads, output));
        return output;
    }

    /// <summary>A causal convolution over a few tokens, each channel for itself.</summary>
    /// <param name="input">[B T, W].</param>
    /// <param name="weight">[W, taps].</param>
    /// <param name="bias">[1, W].</param>
    /// <param name="starts">[B T] where in its row a token's document begins, read anew in every pass.</param>
    /// <param name="batch">B.</param>
    public TapeValue ShortConvolution(TapeValue input, TapeParameter weight, TapeParameter bias, int[] starts, int batch)
    {
        TapeValue output = Value("convolution", input.Rows, input.Columns, input.NeedsGradient || weight.Trainable);
        Record(new ShortConvolutionOperation(input, weight, bias, starts, input.Rows / batch, output));
        return output;
    }

    /// <summary>x W + b with a block-diagonal W, [W, size of a block].</summary>
    public TapeValue BlockDiagonal(TapeValue input, TapeParameter weight, TapeParameter bias)
    {
        TapeValue output = Value("gates", input.Rows, input.Columns, input.NeedsGradient || weight.Trainable);
        Record(new BlockDiagonalOperation(input, weight, bias, output));
        return output;
    }

    /// <summary>Griffin's gated linear recurrence over time; starts as in <see cref="ShortConvolution"/>.</summary>
    public TapeValue LinearRecurrence(TapeValue input, TapeValue inputGate, TapeValue recurrentGate, TapeParameter decay, int[] starts, int batch)
    {
        TapeValue output = Value("recurrence", input.Rows, input.Columns, input.NeedsGradient || inputGate.NeedsGradient);
        Record(new LinearRecurrenceOperation(input, inputGate, recurrentGate, decay, starts, input.Rows / batch, output));
        return output;
    }

    /// <summary>Sends each token to the experts that its logits [N, E] favour.</summary>
    public ExpertRoute Route(TapeValue logits, int chosen, ExpertLoss loss)
    {
        ExpertRoute route = new(Value("expert weights", logits.Rows, chosen, logits.NeedsGradient), logits.Rows, chosen, logits.Columns, loss);
        Record(new RouteOperation(logits, chosen, route));
        return route;
    }

    /// <summary>Each expert's tokens one behind the other, [N k, D].</summary>
    public TapeValue Gather(TapeValue input, ExpertRoute route)
    {
        TapeValue output = Value("expert inputs", route.Rows.Length, input.Columns, input.NeedsGradient);
        Record(new GatherOperation(input, route, output));
        return output;
    }

    /// <summary>x W^T + b with each expert's own W and b over its tokens.</summary>
    /// <param name="input">[N k, inputs].</param>
    /// <param name="route">Which expert has which rows.</param>
    /// <param name="weights">[outputs, inputs] of each expert.</param>
    /// <param name="biases">[1, outputs] of each expert, or none.</param>
    /// <param name="gradient">As in <see cref="Linear"/>.</param>
    public TapeValue ExpertLinear(
        TapeValue input, ExpertRoute route, IReadOnlyList<TapeParameter> weights, IReadOnlyList<TapeParameter> biases, bool gradient = false)
    {
        bool needed = gradient || input.NeedsGradient || weights.Any(w => w.Trainable);
        TapeValue output = Value("expert linear", input.Rows, weights[0].Value.Rows, needed);
        Record(new ExpertLinearOperation(input, route, weights, biases, output, accumulate: false));
        return output;
    }

    /// <summary>y += x W^T in place with each expert's own W over its tokens.</summary>
    public void AddExpertLinear(TapeValue output, TapeValue input, ExpertRoute route, IReadOnlyList<TapeParameter> weights) =>
        Record(new ExpertLinearOperation(input, route, weights, [], output, accumulate: true));

    /// <summary>The experts' results, weighted and added up for each token.</summary>
    public TapeValue Combine(TapeValue input, ExpertRoute route)
    {
        TapeValue output = Value("mixture", route.Weights.Rows, input.Columns, input.NeedsGradient || route.Weights.NeedsGradient);
        Record(new CombineOperation(input, route, output));
        return output;
    }

    /// <summary>The loss of foretelling each token's target: logits = cap tanh(scale (h W^T + b) / cap).</summary>
    public void CrossEntropy(TapeValue hidden, TapeParameter head, TokenLoss loss, TapeParameter? bias = null, float logitScale = 1, float softCap = 0) =>
        Record(new CrossEntropyOperation(hidden, head, bias, logitScale, softCap, loss));

    /// <summary>The loss of differing from a teacher, and a share of that of the text; a pass that only measures finds the latter alone.</summary>
    public void Distillation(
        TapeValue hidden, TapeParameter head, TeacherHead teacher, DistillationGoal goal, float labelWeight, TokenLoss loss, TapeParameter? bias = null, float logitScale = 1, float softCap = 0,
        StateLoss? states = null) => Record(new DistillationOperation(hidden, head, bias, logitScale, softCap, loss, teacher, goal, labelWeight, states));

    /// <summary>The loss of a hidden state that points elsewhere than the teacher's; recorded before the loss at the head.</summary>
    /// <param name="student">[N, D], of the teacher's width.</param>
    /// <param name="teacher">[N, D] that the teacher's tape keeps.</param>
    /// <param name="loss">That at the head: its targets and scale.</param>
    /// <param name="states">What all compared states add up to.</param>
    public void StateDistillation(TapeValue student, TapeValue teacher, TokenLoss loss, StateLoss states) =>
        Record(new StateDistillationOperation(student, teacher, loss, states));

    /// <summary>Holds a value until the next pass, for a student's tape to read.</summary>
    public void Keep(TapeValue value) => Record(new KeepOperation(value));
}
