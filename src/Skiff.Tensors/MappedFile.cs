using System.IO.MemoryMappedFiles;
using System.Runtime.InteropServices;

namespace Skiff.Tensors;

/// <summary>A file mapped read-only into memory. Its pages are shared with other processes and read on first touch.</summary>
public sealed unsafe class MappedFile : IDisposable
{
    private readonly MemoryMappedFile? _file;
    private readonly MemoryMappedViewAccessor? _view;
    private readonly byte* _pointer;
    private bool _disposed;

    private MappedFile(string path, long length, MemoryMappedFile? file)
    {
        Path = path;
        Length = length;
        if (file is null)
            return;
        _file = file;
        _view = file.CreateViewAccessor(0, length, MemoryMappedFileAccess.Read);
        _view.SafeMemoryMappedViewHandle.AcquirePointer(ref _pointer);
    }

    /// <summary>The path as given.</summary>
    public string Path { get; }

    /// <summary>Bytes in the file when it was opened.</summary>
    public long Length { get; }

    /// <summary>Maps <paramref name="path"/>; an empty file is allowed and has length 0.</summary>
    /// <exception cref="InvalidInputException">The file is absent or cannot be read.</exception>
    public static MappedFile Open(string path)
    {
        try
        {
            using FileStream stream = new(path, FileMode.Open, FileAccess.Read, FileShare.Read);
            if (stream.Length == 0)
                return new MappedFile(path, 0, null);
            MemoryMappedFile file = MemoryMappedFile.CreateFromFile(stream, null, 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: false);
            return new MappedFile(path, stream.Length, file);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            throw new InvalidInputException(path, "file", e is FileNotFoundException or DirectoryNotFoundException ? "not found" : e.Message, e);
        }
    }

    /// <summary>The bytes from <paramref name="offset"/>, which must lie inside the file.</summary>
    public ReadOnlySpan<byte> Span(long offset, int count)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset, Length - count);
        return count == 0 ? default : new ReadOnlySpan<byte>(_pointer + offset, count);
    }

    /// <summary>A tensor over the bytes from <paramref name="offset"/>. It keeps the mapping alive.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The tensor does not lie inside the file.</exception>
    public Tensor Tensor(long offset, TensorType type, params ReadOnlySpan<long> shape)
    {
        long bytes = Tensors.Tensor.ByteLengthOf(type, shape);
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset, Length - bytes);
        return new Tensor(_pointer + offset, this, type, shape);
    }

    /// <summary>Gives the pages of a part back to the system; they are read again when touched. Only Linux is asked.</summary>
    internal void Forget(byte* start, long length)
    {
        if (!OperatingSystem.IsLinux() || length == 0)
            return;
        const int DontNeed = 4;
        nuint page = (nuint)Environment.SystemPageSize, from = (nuint)start / page * page;
        // A refusal costs memory, nothing else.
        _ = Advise((void*)from, (nuint)start + (nuint)length - from, DontNeed);
        GC.KeepAlive(this);
    }

    [DllImport("libc", EntryPoint = "madvise")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Advise(void* start, nuint length, int advice);

    /// <summary>Unmaps the file; tensors over it must not be used afterwards.</summary>
    public void Dispose()
    {
        if (_view is null || _disposed)
            return;
        _disposed = true;
        _view.SafeMemoryMappedViewHandle.ReleasePointer();
        _view.Dispose();
        _file!.Dispose();
    }
}
