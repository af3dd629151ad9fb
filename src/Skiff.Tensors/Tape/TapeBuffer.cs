namespace Skiff.Tensors;

/// <summary>A piece of a tape's memory; <see cref="TapePlan"/> says where it lies, and pieces that are never needed at once share a place.</summary>
internal sealed unsafe class TapeBuffer(string name, long count)
{
    /// <summary>For messages.</summary>
    public string Name { get; } = name;

    /// <summary>Values it holds.</summary>
    public long Count { get; } = count;

    /// <summary>Its first value, once the tape has its memory.</summary>
    public float* Data { get; set; }

    /// <summary>As values.</summary>
    public Span<float> Span => new(Data, checked((int)Count));
}
