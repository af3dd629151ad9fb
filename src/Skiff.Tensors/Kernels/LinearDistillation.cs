// N tokens, V vocabulary, C tokens in a chunk
using System.Numerics;
using System.Runtime.Intrinsics;

namespace Skiff.Tensors;

/// <summary>What distillation makes small.</summary>
/// <param name="Divergence">How student and teacher are compared.</param>
/// <param name="Temperature">tau, above 0; 1 where logits are compared rather than distributions.</param>
/// <param name="TopK">Compare over the teacher's likeliest ids alone, so many; 0 for all.</param>
public readonly record struct DistillationGoal(Divergence Divergence = Divergence.ForwardKl, float Temperature = 1, int TopK = 0);

/// <summary>
/// Distillation from a teacher over the whole vocabulary without ever holding all logits: loss = tau^2 KL(p || q) with
/// p = softmax(teacher's logits / tau) and q = softmax(student's logits / tau) (Hinton et al., arXiv 1503.02531, section 2), or another
/// <see cref="Divergence"/>, done for C tokens at a time together with the student's gradients.
/// </summary>
public static unsafe class LinearDistillation
{
    // Logits of one side of a chunk: 8 MiB, but never so few tokens that products over them become narrow.
    private const int ChunkLogits = 1 << 21, LeastChunk = 64;

    /// <summary>Room for the chunk that suits a number of tokens, in values: C (2 V + 1).</summary>
    public static long ScratchLength(int tokens, int vocabulary) =>
        Math.Min(Math.Max(tokens, 1), Math.Max(LeastChunk, ChunkLogits / Math.Max(1, vocabulary))) * (2L * vocabulary + 1);

    /// <summary>
    /// The summed loss of the tokens that have a target, and the gradients of that sum times <paramref name="gradientScale"/>. Results
    /// depend on the length of the scratch memory, which sets C, and not on the number of threads.
    /// </summary>
    /// <param name="student">[N, D] and [V, D]; a scale of the logits that is not 0 with a dHeadBias.</param>
    /// <param name="teacher">[N, D'] and [V, D'].</param>
    /// <param name="targets">[N]; a token with -1 has no loss and no gradient, other values are not looked at.</param>
    /// <param name="goal">What is made small.</param>
    /// <param name="gradientScale">Factor on every gradient.</param>
    /// <param name="dHidden">[N, D], or null with no other gradient: the loss alone.</param>
    /// <param name="dHead">[V, D] added to, or null: a frozen head.</param>
    /// <param name="dHeadBias">[V] added to, or empty: no bias or a frozen one.</param>
    /// <param name="scratch">At least 2 V + 1 values; <see cref="ScratchLength"/> says how many suit.</param>
    /// <param name="accumulate">Add to dHidden rather than overwrite it.</param>
    /// <param name="team">Threads to share the work; the process's own when null.</param>
    /// <exception cref="ArgumentException">Sizes differ, or too little scratch memory.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A goal out of its range, or a scale of 0 with a dHeadBias.</exception>
    public static double Compute(
        LogitSource student, LogitSource teacher, ReadOnlySpan<int> targets, DistillationGoal goal, float gradientScale,
        MatrixView? dHidden, MatrixView? dHead, Span<float> dHeadBias, Span<float> scratch, bool accumulate = false, ThreadTeam? team = null)
    {
        if (teacher.Hidden.Rows != student.Hidden.Rows || teacher.Head.Rows != student.Head.Rows)
            throw new ArgumentException($"{student.Hidden.Rows} and {teacher.Hidden.Rows} tokens over {student.Head.Rows} and {teacher.Head.Rows} ids", nameof(teacher));
        return Compute(student, teacher, null, targets, goal, gradientScale, dHidden, dHead, dHeadBias, scratch, accumulate, team);
    }

    /// <summary>The same against what was kept of a teacher's logits, over the ids that were kept.</summary>
    /// <inheritdoc cref="Compute(LogitSource, LogitSource, ReadOnlySpan{int}, DistillationGoal, float, MatrixView?, MatrixView?, Span{float}, Span{float}, bool, ThreadTeam?)"/>
    public static double Compute(
        LogitSource student, TopLogits teacher, ReadOnlySpan<int> targets, DistillationGoal goal, float gradientScale,
        MatrixView? dHidden, MatrixView? dHead, Span<float> dHeadBias, Span<float> scratch, bool accumulate = false, ThreadTeam? team = null)
    {
        if (teacher.Tokens != student.Hidden.Rows)
            throw new ArgumentException($"{student.Hidden.Rows} and {teacher.Tokens} tokens", nameof(teacher));
        return Compute(student, default, teacher, targets, goal, gradientScale, dHidden, dHead, dHeadBias, scratch, accumulate, team);
    }

    private static double Compute(
        LogitSource student, LogitSource teacher, TopLogits? top, ReadOnlySpan<int> targets, DistillationGoal goal, float gradientScale,
        MatrixView? dHidden, MatrixView? dHead, Span<float> dHeadBias, Span<float> scratch, bool accumulate, ThreadTeam? team)
    {
        int tokens = student.Hidden.Rows, width = student.Hidden.Columns, vocabulary = student.Head.Rows;
        int chunk = (int)Math.Min(tokens, scratch.Length / (2L * vocabulary + 1));
        if (targets.Length != tokens)
            throw new ArgumentException($"{targets.Length} targets for {tokens} tokens", nameof(targets));
        if ((dHidden is { } a && (a.Rows != tokens || a.Columns != width)) || (dHead is { } b && (b.Rows != vocabulary || b.Columns != width))
            || (dHeadBias.Length != 0 && dHeadBias.Length != student.Bias.Length))
            throw new ArgumentException("a gradient has another size than its factor", nameof(dHidden));
        if (chunk == 0 && tokens > 0)
            throw new ArgumentException($"{scratch.Length} values of scratch memory for rows of 2 x {vocabulary} + 1", nameof(scratch));
        if (!(goal.Temperature > 0) || goal.TopK < 0 || (goal.Temperature != 1 && goal.Divergence is Divergence.MeanSquare or Divergence.Cosine))
            throw new ArgumentOutOfRangeException(nameof(goal), goal, "the temperature must be above 0, and 1 where logits are compared; the top 0 or more");
        if (dHeadBias.Length > 0 && student.LogitScale == 0)
            throw new ArgumentOutOfRangeException(nameof(student), "a scale of 0 hides the gradient of the bias");

        team ??= ThreadTeam.Default;
        double loss = 0;
        fixed (int* ids = targets)
        fixed (float* room = scratch, studentBias = student.Bias, teacherBias = teacher.Bias, topValues = top?.Values)
        fixed (int* topIds = top?.Ids)
        {
            Plan plan = new()
            {
                Losses = room,
                StudentBias = studentBias,
                TeacherBias = teacherBias,
                StudentScale = student.LogitScale,
                TeacherScale = teacher.LogitScale,
                StudentCap = student.SoftCap,
                TeacherCap = teacher.SoftCap,
                Temperature = goal.Temperature,
                Divergence = goal.Divergence,
                TopK = top?.Count ?? (goal.TopK >= vocabulary ? 0 : goal.TopK),
                GradientScale = gradientScale,
                Gradients = dHidden is not null || dHead is not null || dHeadBias.Length > 0,
            };
            for (int first = 0; first < tokens; first += chunk)
            {
                int rows = Math.Min(chunk, tokens - first);
                MatrixView part = student.Hidden.Block(first, rows, 0, width);
                plan.Student = new MatrixView(room + chunk, rows, vocabulary);
                plan.Teacher = new MatrixView(room + chunk + (long)chunk * vocabulary, rows, vocabulary);
                plan.Targets = ids + first;
                MatrixProduct.Multiply(part, student.Head.Transposed, plan.Student, team: team);
                if (top is null)
                    MatrixProduct.Multiply(teacher.Hidden.Block(first, rows, 0, teacher.Hidden.Columns), teacher.Head.Transposed, plan.Teacher, team: team);
                else
                {
                    plan.TopIds = topIds + ((long)first * top.Count);
                    plan.TopValues = topValues + ((long)first * top.Count);
                }

                team.Run(rows, top is not null ? &KeptDivergence : goal is { Divergence: Divergence.ForwardKl } && plan.TopK == 0 ? &ForwardDivergence : &AnyDivergence, &plan);
                for (int r = 0; r < rows; r++)
                    loss += room[r];
                if (dHidden is { } dh)
                    MatrixProduct.Multiply(plan.Student, student.Head, dh.Block(first, rows, 0, width), accumulate, team);
                if (dHead is { } dw)
                    MatrixProduct.Multiply(plan.Student.Transposed, part, dw, accumulate: true, team: team);
                // The gradients hold the factor of the products, which the bias lacks.
                if (dHeadBias.Length > 0)
                    Bias.Backward(plan.Student, 1 / student.LogitScale, dHeadBias, team);
            }
        }

        return loss;
    }

    // One token: its loss, and the student's products become their gradients. The usual goal has a function of its own, which reads rows
    // fewer times.
    private static void ForwardDivergence(void* state, int row)
    {
        Plan* plan = (Plan*)state;
        float* s = plan->Student.Data + row * plan->Student.RowStride, t = plan->Teacher.Data + row * plan->Teacher.RowStride;
        int count = plan->Student.Columns;
        if (plan->Targets[row] == -1)
        {
            plan->Losses[row] = 0;
            new Span<float>(s, count).Clear();
            return;
        }

        float tau = plan->Temperature;
        float mostS = LogitRow.Bend(s, count, plan->StudentBias, plan->StudentScale, plan->StudentCap, tau);
        float mostT = LogitRow.Bend(t, count, plan->TeacherBias, plan->TeacherScale, plan->TeacherCap, tau);
        double sumS = LogitRow.ExpSum(s, mostS, count), sumT = WeightedSum(s, t, mostS, mostT, count, out double weighted);
        plan->Losses[row] = (float)((double)tau * tau * (weighted / sumT - Math.Log(sumT / sumS)));
        if (!plan->Gradients)
            return;
        // d loss / d s = tau (q - p), through cap and scale of the student.
        Vector<float> shiftS = new((float)(mostS + Math.Log(sumS))), shiftT = new((float)(mostT + Math.Log(sumT)));
        Vector<float> factor = new(plan->GradientScale * plan->StudentScale * tau), inverse = new(plan->StudentCap > 0 ? tau / plan->StudentCap : 0);
        for (int i = 0; i < count; i += Vector<float>.Count)
        {
            int rest = count - i;
            Vector<float> value = VectorFunctions.Load(s + i, rest), bent = value * inverse;
            Vector<float> difference = VectorFunctions.Exp(value - shiftS) - VectorFunctions.Exp(VectorFunctions.Load(t + i, rest) - shiftT);
            VectorFunctions.Store(difference * factor * (Vector<float>.One - bent * bent), s + i, rest);
        }
    }

    private static void AnyDivergence(void* state, int row)
    {
        Plan* plan = (Plan*)state;
        float* s = plan->Student.Data + row * plan->Student.RowStride, t = plan->Teacher.Data + row * plan->Teacher.RowStride;
        int count = plan->Student.Columns;
        if (plan->Targets[row] == -1)
        {
            plan->Losses[row] = 0;
            new Span<float>(s, count).Clear();
            return;
        }

        float tau = plan->Temperature, factor = plan->GradientScale * plan->StudentScale * tau, inverse = plan->StudentCap > 0 ? tau / plan->StudentCap : 0;
        LogitRow.Bend(s, count, plan->StudentBias, plan->StudentScale, plan->StudentCap, tau);
        LogitRow.Bend(t, count, plan->TeacherBias, plan->TeacherScale, plan->TeacherCap, tau);
        double loss = plan->TopK > 0
            ? DivergenceRow.ApplyTop(plan->Divergence, s, t, count, plan->TopK, plan->Gradients, factor, inverse)
            : DivergenceRow.Apply(plan->Divergence, s, t, count, plan->Gradients, factor, inverse);
        plan->Losses[row] = (float)((double)tau * tau * loss);
    }

    private static void KeptDivergence(void* state, int row)
    {
        Plan* plan = (Plan*)state;
        float* s = plan->Student.Data + row * plan->Student.RowStride;
        int count = plan->Student.Columns, top = plan->TopK;
        if (plan->Targets[row] == -1)
        {
            plan->Losses[row] = 0;
            new Span<float>(s, count).Clear();
            return;
        }

        float tau = plan->Temperature;
        LogitRow.Bend(s, count, plan->StudentBias, plan->StudentScale, plan->StudentCap, tau);
        // The teacher's row of the scratch memory is free.
        Span<float> t = new(plan->Teacher.Data + row * plan->Teacher.RowStride, top);
        for (int k = 0; k < top; k++)
            t[k] = plan->TopValues[((long)row * top) + k] / tau;
        double loss = DivergenceRow.ApplyTop(
            plan->Divergence, s, new ReadOnlySpan<int>(plan->TopIds + ((long)row * top), top), t, count, plan->Gradients, plan->GradientScale * plan->StudentScale * tau, plan->StudentCap > 0 ? tau / plan->StudentCap : 0);
        plan->Losses[row] = (float)((double)tau * tau * loss);
    }

    // The sum of e^(t - mostT), and that of e^(t - mostT) ((t - mostT) - (s - mostS)).
    private static double WeightedSum(float* s, float* t, float mostS, float mostT, int count, out double weighted)
    {
        double sum = 0;
        weighted = 0;
        Vector<float> shiftS = new(mostS), shiftT = new(mostT);
        bool hasWide = IsaChoice.Current == Isa.Avx512;
        for (int start = 0; start < count; start += LogitRow.SumBlock)
        {
            int end = Math.Min(count, start + LogitRow.SumBlock), i = start;
            // As the student's own sum is made, so that equal rows have equal sums.
            if (hasWide)
            {
                Vector512<float> wide = Vector512<float>.Zero, weightedWide = Vector512<float>.Zero;
                for (; i <= end - Vector512<float>.Count; i += Vector512<float>.Count)
                {
                    Vector512<float> log = Vector512.Load(t + i) - Vector512.Create(mostT), e = VectorFunctions.Exp(log);
                    wide += e;
                    weightedWide += e * (log - (Vector512.Load(s + i) - Vector512.Create(mostS)));
                }

                sum += Vector512.Sum(wide);
                weighted += Vector512.Sum(weightedWide);
            }

            Vector<float> block = Vector<float>.Zero, weightedBlock = Vector<float>.Zero;
            for (; i <= end - Vector<float>.Count; i += Vector<float>.Count)
            {
                Vector<float> log = Vector.Load(t + i) - shiftT, e = VectorFunctions.Exp(log);
                block += e;
                weightedBlock += e * (log - (Vector.Load(s + i) - shiftS));
            }

            sum += Vector.Sum(block);
            weighted += Vector.Sum(weightedBlock);
            // The values that fill no vector.
            for (; i < end; i++)
            {
                double log = t[i] - mostT, e = Math.Exp(log);
                sum += e;
                weighted += e * (log - (s[i] - mostS));
            }
        }

        return sum;
    }

    private struct Plan
    {
        public MatrixView Student, Teacher;
        public float* StudentBias, TeacherBias, Losses;
        public int* Targets, TopIds;
        public float* TopValues;
        public Divergence Divergence;
        public int TopK;
        public float StudentScale, TeacherScale, StudentCap, TeacherCap, Temperature, GradientScale;
        public bool Gradients;
    }
}
