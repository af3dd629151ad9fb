using System.Runtime.ConstrainedExecution;
using System.Runtime.InteropServices;

namespace Skiff.Tensors;

/// <summary>
/// A typed, shaped block of numbers outside the managed heap: its own 64-byte aligned memory, or a view of a mapped
/// file. Values lie in row-major order; the last dimension is one row and is contiguous. A span or pointer taken from
/// a tensor is valid as long as the tensor is reachable: keep it in a field, or end with <see cref="GC.KeepAlive"/>.
/// </summary>
public sealed unsafe class Tensor
{
    private readonly byte* _pointer;
    // Whoever owns the memory stays alive as long as the tensor does.
    private readonly object _owner;
    private readonly long[] _shape;

    internal Tensor(byte* pointer, object owner, TensorType type, ReadOnlySpan<long> shape)
    {
        _pointer = pointer;
        _owner = owner;
        _shape = shape.ToArray();
        Type = type;
        ByteLength = ByteLengthOf(type, shape);
        Count = CountOf(shape);
    }

    /// <summary>How the numbers are stored.</summary>
    public TensorType Type { get; }

    /// <summary>Sizes, outermost first, as Hugging Face files state them.</summary>
    public IReadOnlyList<long> Shape => _shape;

    /// <summary>Number of values.</summary>
    public long Count { get; }

    /// <summary>Number of bytes.</summary>
    public long ByteLength { get; }

    /// <summary>Length of the last dimension; 1 for a scalar.</summary>
    public int Columns => _shape.Length == 0 ? 1 : checked((int)_shape[^1]);

    /// <summary>Product of all dimensions but the last.</summary>
    public long Rows => Columns == 0 ? 0 : Count / Columns;

    /// <summary>First byte, aligned to the type.</summary>
    public byte* Data => _pointer;

    /// <summary>Zeroed memory of its own.</summary>
    /// <exception cref="ArgumentException">A negative size, or rows that do not fill whole blocks.</exception>
    public static Tensor Allocate(TensorType type, params ReadOnlySpan<long> shape)
    {
        NativeBuffer buffer = new(ByteLengthOf(type, shape), clear: true);
        return new Tensor(buffer.Start, buffer, type, shape);
    }

    /// <summary>Memory of its own with anything in it, for whoever writes every value at once.</summary>
    internal static Tensor AllocateRaw(TensorType type, params ReadOnlySpan<long> shape)
    {
        NativeBuffer buffer = new(ByteLengthOf(type, shape), clear: false);
        return new Tensor(buffer.Start, buffer, type, shape);
    }

    /// <summary>A single-precision tensor with a copy of <paramref name="values"/>.</summary>
    public static Tensor FromFloats(ReadOnlySpan<float> values, params ReadOnlySpan<long> shape)
    {
        Tensor tensor = Allocate(TensorType.F32, shape);
        if (tensor.Count != values.Length)
            throw new ArgumentException($"{values.Length} values for a tensor of {tensor.Count}", nameof(values));
        values.CopyTo(new Span<float>(tensor._pointer, values.Length));
        return tensor;
    }

    /// <summary>Bytes a tensor of this type and shape takes; rows must fill whole blocks.</summary>
    /// <exception cref="ArgumentException">A negative size, or rows that do not fill whole blocks.</exception>
    /// <exception cref="OverflowException">The size exceeds 2^63 - 1 bytes.</exception>
    public static long ByteLengthOf(TensorType type, ReadOnlySpan<long> shape)
    {
        long columns = shape.Length == 0 ? 1 : shape[^1];
        if (columns % type.BlockLength() != 0)
            throw new ArgumentException($"rows of {columns} values do not fill {type.Name()} blocks of {type.BlockLength()}", nameof(shape));
        return type.ByteLength(CountOf(shape));
    }

    /// <summary>The bytes of one row (<see cref="Columns"/> values).</summary>
    public ReadOnlySpan<byte> RowBytes(long row) => MutableRowBytes(row);

    /// <summary>The bytes of one row, for writing; only tensors made by <see cref="Allocate"/> may be written.</summary>
    public Span<byte> MutableRowBytes(long row)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(row);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(row, Rows);
        long bytes = Type.ByteLength(Columns);
        return new Span<byte>(_pointer + row * bytes, checked((int)bytes));
    }

    /// <summary>All bytes; only for tensors below 2 GiB.</summary>
    public ReadOnlySpan<byte> Bytes() => new(_pointer, checked((int)ByteLength));

    /// <summary>All values of a single-precision tensor below 2^31 values.</summary>
    public Span<float> Floats()
    {
        if (Type != TensorType.F32)
            throw new InvalidOperationException($"the tensor is {Type.Name()}, not f32");
        return new Span<float>(_pointer, checked((int)Count));
    }

    /// <summary>One row as single precision, dequantized or widened as needed.</summary>
    public void ReadRow(long row, Span<float> destination)
    {
        NumberFormats.Decode(Type, RowBytes(row), destination[..Columns]);
        GC.KeepAlive(_owner);
    }

    /// <summary>One row from single precision, quantized or rounded as needed.</summary>
    public void WriteRow(long row, ReadOnlySpan<float> source)
    {
        NumberFormats.Encode(Type, source[..Columns], MutableRowBytes(row));
        GC.KeepAlive(_owner);
    }

    /// <summary>A copy in another type; row by row, so no second copy of the whole is made in between.</summary>
    public Tensor ConvertTo(TensorType type)
    {
        Tensor result = Allocate(type, _shape);
        float[] row = new float[Columns];
        for (long r = 0; r < Rows; r++)
        {
            ReadRow(r, row);
            result.WriteRow(r, row);
        }

        return result;
    }

    /// <summary>The same memory under another shape of equal count.</summary>
    public Tensor Reshape(params ReadOnlySpan<long> shape)
    {
        if (CountOf(shape) != Count)
            throw new ArgumentException($"shape [{string.Join(", ", shape.ToArray())}] does not hold {Count} values", nameof(shape));
        return new Tensor(_pointer, this, Type, shape);
    }

    /// <summary>
    /// Lets go of the memory behind a view of a mapped file; the next touch reads the file again. Memory of its own stays.
    /// </summary>
    internal void Forget()
    {
        object owner = _owner;
        while (owner is Tensor view)
            owner = view._owner;
        (owner as MappedFile)?.Forget(_pointer, ByteLength);
    }

    /// <summary>A view of rows of a matrix, or of values of a vector.</summary>
    internal Tensor Slice(long start, long count)
    {
        long stride = _shape.Length == 1 ? Type.ByteLength(1) : Type.ByteLength(Columns);
        long[] shape = _shape.Length == 1 ? [count] : [count, Columns];
        if (start < 0 || count < 0 || (start + count) * stride > ByteLength)
            throw new ArgumentOutOfRangeException(nameof(start), $"rows {start} to {start + count} of {this}");
        return new Tensor(_pointer + start * stride, this, Type, shape);
    }

    /// <inheritdoc/>
    public override string ToString() => $"{Type.Name()} [{string.Join(", ", _shape)}]";

    private static long CountOf(ReadOnlySpan<long> shape)
    {
        long count = 1;
        foreach (long size in shape)
        {
            if (size < 0)
                throw new ArgumentException($"negative size {size}", nameof(shape));
            count = checked(count * size);
        }

        return count;
    }
}

/// <summary>Native memory on a 64-byte border or wider, freed with its last user, behind the finalizers of those who use it.</summary>
internal sealed unsafe class NativeBuffer : CriticalFinalizerObject
{
    // From here on, Linux is asked for pages of 2 MiB: rows far apart then cost no search for their page.
    private const long SmallestHuge = 4 << 20;
    private const nuint HugePage = 2 << 20;
    private const int HugePages = 14;

    public NativeBuffer(long length, bool clear)
    {
        Length = Math.Max(length, 64);
        bool huge = Length >= SmallestHuge && OperatingSystem.IsLinux();
        Start = (byte*)NativeMemory.AlignedAlloc((nuint)Length, huge ? HugePage : 64);
        // A refusal costs time, nothing else.
        if (huge)
            _ = Advise(Start, (nuint)Length, HugePages);
        if (clear)
            NativeMemory.Clear(Start, (nuint)Length);
        GC.AddMemoryPressure(Length);
    }

    ~NativeBuffer() => Free();

    /// <summary>Frees it at once; nothing may hold a pointer into it any more.</summary>
    public void Free()
    {
        if (Start is null)
            return;
        NativeMemory.AlignedFree(Start);
        GC.RemoveMemoryPressure(Length);
        Start = null;
    }

    /// <summary>Bytes.</summary>
    public long Length { get; }

    public byte* Start { get; private set; }

    [DllImport("libc", EntryPoint = "madvise")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Advise(void* start, nuint length, int advice);
}
