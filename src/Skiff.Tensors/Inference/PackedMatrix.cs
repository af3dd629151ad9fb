// M rows
using System.Numerics;

namespace Skiff.Tensors;

/// <summary>
/// The weights of a linear layer as products read them. A row's result has the same bits whatever other rows are in the call and for any
/// number of threads.
/// </summary>
public abstract class PackedMatrix
{
    private protected PackedMatrix(Tensor weight) =>
        (Outputs, Inputs, Type, ByteLength) = (checked((int)weight.Rows), weight.Columns, weight.Type, weight.ByteLength);

    /// <summary>Results of a row.</summary>
    public int Outputs { get; }

    /// <summary>Values of a row.</summary>
    public int Inputs { get; }

    /// <summary>How the weights are stored.</summary>
    public TensorType Type { get; }

    /// <summary>Bytes that the weights take.</summary>
    public long ByteLength { get; }

    /// <summary>Prepares weights for products.</summary>
    /// <param name="weight">[outputs, inputs] of any type.</param>
    /// <param name="team">Threads to share the work; the process's own when null.</param>
    public static PackedMatrix Pack(Tensor weight, ThreadTeam? team = null) => new RowMatrix(weight);

    /// <summary>y = x W^T.</summary>
    /// <param name="x">[M, inputs].</param>
    /// <param name="y">[M, outputs], overwritten; rows may be apart.</param>
    /// <param name="team">Threads to share the outputs; the process's own when null.</param>
    /// <exception cref="ArgumentException">Sizes differ, or the values of a row lie apart.</exception>
    public abstract void Multiply(Activations x, MatrixView y, ThreadTeam? team = null);

    // Weights as they are, each row made single precision when its turn comes.
    private sealed unsafe class RowMatrix(Tensor weight) : PackedMatrix(weight)
    {
        private const int PartValues = 1 << 15;
        private readonly Tensor _weight = weight;

        public override void Multiply(Activations x, MatrixView y, ThreadTeam? team = null)
        {
            if (x.Rows.Columns != Inputs || y.Rows != x.Rows.Rows || y.Columns != Outputs || (y.ColumnStride != 1 && y.Columns > 1))
                throw new ArgumentException($"[{x.Rows.Rows}, {x.Rows.Columns}] times [{Outputs}, {Inputs}] to [{y.Rows}, {y.Columns}], or values of a row apart", nameof(y));
            Plan plan = new() { X = x.Rows, Y = y, Weight = _weight.Data, Type = Type, RowBytes = Type.ByteLength(Inputs) };
            plan.Part = Math.Max(1, PartValues / Math.Max(1, Inputs));
            (team ?? ThreadTeam.Default).Run((Outputs + plan.Part - 1) / plan.Part, &Part, &plan);
            GC.KeepAlive(_weight);
        }

        private static void Part(void* state, int part)
        {
            Plan* plan = (Plan*)state;
            int inputs = plan->X.Columns;
            for (int output = part * plan->Part, end = Math.Min(plan->Y.Columns, output + plan->Part); output < end; output++)
            {
                float* row = (float*)(plan->Weight + output * plan->RowBytes);
                if (plan->Type != TensorType.F32)
                {
                    ReadOnlySpan<byte> stored = new(row, (int)plan->RowBytes);
                    row = Scratch.Own(inputs);
                    NumberFormats.Decode(plan->Type, stored, new Span<float>(row, inputs));
                }

                for (int m = 0; m < plan->X.Rows; m++)
                    plan->Y.Data[m * plan->Y.RowStride + output] = Dot(plan->X.Data + m * plan->X.RowStride, row, inputs);
            }
        }

        private static float Dot(float* a, float* b, int count)
        {
            Vector<float> s0 = Vector<float>.Zero, s1 = Vector<float>.Zero, s2 = Vector<float>.Zero, s3 = Vector<float>.Zero;
            int i = 0, step = Vector<float>.Count;
            for (; i <= count - 4 * step; i += 4 * step)
            {
                s0 = Vector.MultiplyAddEstimate(Vector.Load(a + i), Vector.Load(b + i), s0);
                s1 = Vector.MultiplyAddEstimate(Vector.Load(a + i + step), Vector.Load(b + i + step), s1);
                s2 = Vector.MultiplyAddEstimate(Vector.Load(a + i + 2 * step), Vector.Load(b + i + 2 * step), s2);
                s3 = Vector.MultiplyAddEstimate(Vector.Load(a + i + 3 * step), Vector.Load(b + i + 3 * step), s3);
            }

            for (; i <= count - step; i += step)
                s0 = Vector.MultiplyAddEstimate(Vector.Load(a + i), Vector.Load(b + i), s0);
            float sum = Vector.Sum(s0 + s1 + (s2 + s3));
            // The values that fill no vector.
            for (; i < count; i++)
                sum += a[i] * b[i];
            return sum;
        }

        private struct Plan
        {
            public MatrixView X, Y;
            public byte* Weight;
            public TensorType Type;
            public long RowBytes;
            public int Part;
        }
    }
}
