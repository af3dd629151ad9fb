// B rows of a batch, T tokens of a row, K ids kept of each token
using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Microsoft.Win32.SafeHandles;
using Skiff.Tensors;

namespace Skiff.Training;

/// <summary>
/// A file of what a teacher foretold, row by row of a run: its likeliest ids and their logits. A run that finds its rows there needs no pass of the
/// teacher; what is missing, or was of other tokens, is foretold and written. 6 K bytes a token.
/// </summary>
internal sealed class TeacherCache : IDisposable
{
    private const int HeaderBytes = 64, MarkBytes = 8;
    private static readonly byte[] s_magic = "SKIFFTOP"u8.ToArray();

    private readonly SafeFileHandle _file;
    private readonly byte[] _record;
    private readonly int _time;

    private TeacherCache(SafeFileHandle file, int time, int count) => (_file, _time, Count, _record) = (file, time, count, new byte[MarkBytes + checked(time * count * (sizeof(int) + 2))]);

    /// <summary>K.</summary>
    public int Count { get; }

    /// <summary>Opens a file, or begins one.</summary>
    /// <param name="path">The file.</param>
    /// <param name="teacher">The teacher's numbers, by which the file is known as its.</param>
    /// <param name="time">T.</param>
    /// <param name="count">K.</param>
    /// <exception cref="InvalidInputException">It is no such file, of another teacher, T or K, or in use.</exception>
    public static TeacherCache Open(string path, TrainingParameters teacher, int time, int count)
    {
        byte[] header = new byte[HeaderBytes];
        s_magic.CopyTo(header, 0);
        BinaryPrimitives.WriteInt32LittleEndian(header.AsSpan(8), time);
        BinaryPrimitives.WriteInt32LittleEndian(header.AsSpan(12), count);
        Fingerprint(teacher).CopyTo(header.AsSpan(16));
        SafeFileHandle file;
        try
        {
            if (Path.GetDirectoryName(Path.GetFullPath(path)) is { } folder)
                Directory.CreateDirectory(folder);
            file = File.OpenHandle(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new InvalidInputException(path, "distill.cache", $"cannot be used: {e.Message}", e);
        }

        byte[] there = new byte[HeaderBytes];
        int read = RandomAccess.Read(file, there, 0);
        if (read == 0)
            RandomAccess.Write(file, header, 0);
        else if (read < HeaderBytes || !there.AsSpan().SequenceEqual(header))
        {
            file.Dispose();
            throw new InvalidInputException(path, "distill.cache", "is of another teacher, context length or top_k, or no such file: name another");
        }

        return new TeacherCache(file, time, count);
    }

    /// <summary>Brings what the teacher foretells of a batch, whose tokens the teacher was given: from the file, or by a pass that is then written.</summary>
    /// <param name="firstRow">The number of its first row in the run.</param>
    /// <param name="tokens">[B, T].</param>
    /// <param name="starts">[B, T] where documents begin.</param>
    /// <param name="teacher">Foretells.</param>
    /// <param name="kept">[B T] to fill.</param>
    public void Fill(long firstRow, ReadOnlySpan<int> tokens, ReadOnlySpan<int> starts, DecoderTape teacher, TopLogits kept)
    {
        int rows = tokens.Length / _time, found = 0;
        while (found < rows && Read(firstRow + found, Mark(tokens, starts, found), kept, found))
            found++;
        if (found == rows)
            return;
        teacher.Forward(gradients: false);
        kept.Fill(teacher.Head.Source);
        for (int row = 0; row < rows; row++)
            Write(firstRow + row, Mark(tokens, starts, row), kept, row);
    }

    /// <inheritdoc/>
    public void Dispose() => _file.Dispose();

    private long Place(long row) => HeaderBytes + (row * _record.Length);

    // Of a row's tokens and documents; never 0, which stands where nothing was written.
    private long Mark(ReadOnlySpan<int> tokens, ReadOnlySpan<int> starts, int row)
    {
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(MemoryMarshal.AsBytes(tokens.Slice(row * _time, _time)));
        hash.AppendData(MemoryMarshal.AsBytes(starts.Slice(row * _time, _time)));
        return BinaryPrimitives.ReadInt64LittleEndian(hash.GetHashAndReset()) | 1;
    }

    private bool Read(long row, long mark, TopLogits kept, int at)
    {
        if (RandomAccess.Read(_file, _record, Place(row)) < _record.Length || BinaryPrimitives.ReadInt64LittleEndian(_record) != mark)
            return false;
        int values = _time * Count;
        ReadOnlySpan<byte> ids = _record.AsSpan(MarkBytes, values * sizeof(int)), halves = _record.AsSpan(MarkBytes + ids.Length);
        MemoryMarshal.Cast<byte, int>(ids).CopyTo(kept.Ids.AsSpan(at * values));
        NumberFormats.Decode(TensorType.F16, halves, kept.Values.AsSpan(at * values, values));
        return true;
    }

    // The mark comes last: a row that was cut short is none.
    private void Write(long row, long mark, TopLogits kept, int at)
    {
        int values = _time * Count;
        Span<byte> ids = _record.AsSpan(MarkBytes, values * sizeof(int)), halves = _record.AsSpan(MarkBytes + ids.Length);
        MemoryMarshal.AsBytes(kept.Ids.AsSpan(at * values, values)).CopyTo(ids);
        NumberFormats.Encode(TensorType.F16, kept.Values.AsSpan(at * values, values), halves);
        BinaryPrimitives.WriteInt64LittleEndian(_record, mark);
        RandomAccess.Write(_file, _record.AsSpan(MarkBytes), Place(row) + MarkBytes);
        RandomAccess.Write(_file, _record.AsSpan(0, MarkBytes), Place(row));
    }

    private static unsafe byte[] Fingerprint(TrainingParameters teacher)
    {
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (TrainingParameter own in teacher.All)
        {
            long bytes = own.Value.Count * sizeof(float);
            for (long at = 0; at < bytes; at += 1 << 28)
                hash.AppendData(new ReadOnlySpan<byte>((byte*)own.Value.Data + at, (int)Math.Min(1 << 28, bytes - at)));
        }

        return hash.GetHashAndReset();
    }
}
