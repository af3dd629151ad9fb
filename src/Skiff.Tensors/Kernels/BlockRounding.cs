namespace Skiff.Tensors;

/// <summary>Values as a number type would give them back, each to its nearest: what a model that is quantized later computes with.</summary>
public static unsafe class BlockRounding
{
    private const int PartBlocks = 64, MostBytes = 512, PlainBlock = 128;

    /// <summary>Rounds values in place. Blocks do not depend on each other: results are the same for any number of threads.</summary>
    /// <param name="values">Rows that blocks fill, one behind the other.</param>
    /// <param name="type">A type of weights.</param>
    /// <param name="team">Threads to share the work; the process's own when null.</param>
    /// <exception cref="ArgumentException">Blocks do not fill the values.</exception>
    public static void Apply(Span<float> values, TensorType type, ThreadTeam? team = null)
    {
        if (type == TensorType.F32)
            return;
        if (values.Length % type.BlockLength() != 0)
            throw new ArgumentException($"{values.Length} values in blocks of {type.BlockLength()}", nameof(values));
        fixed (float* start = values)
        {
            // Types without blocks go in pieces as well.
            Plan plan = new() { Values = start, Count = values.Length, Type = type, Block = Math.Max(type.BlockLength(), PlainBlock) };
            long part = (long)plan.Block * PartBlocks;
            (team ?? ThreadTeam.Default).Run((int)((values.Length + part - 1) / part), &Round, &plan);
        }
    }

    private static void Round(void* state, int part)
    {
        Plan* plan = (Plan*)state;
        Span<byte> bytes = stackalloc byte[MostBytes];
        long start = (long)part * plan->Block * PartBlocks, end = Math.Min(plan->Count, start + ((long)plan->Block * PartBlocks));
        for (long i = start; i < end; i += plan->Block)
        {
            Span<float> block = new(plan->Values + i, (int)Math.Min(plan->Block, end - i));
            Span<byte> encoded = bytes[..(int)plan->Type.ByteLength(block.Length)];
            NumberFormats.Encode(plan->Type, block, encoded);
            NumberFormats.Decode(plan->Type, encoded, block);
        }
    }

    private struct Plan
    {
        public float* Values;
        public long Count;
        public int Block;
        public TensorType Type;
    }
}
