using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Inference;

/// <summary>
/// A sequence as a file, so that what a prompt left behind is computed once and used by many processes: a header, the tokens, the tiles that
/// the next position sees, the recurrent states, and a SHA-256 of all before it. It fits the same model in the same quantization, whatever
/// the engine's rows of a pass.
/// </summary>
public static unsafe class SequenceFile
{
    private const int Version = 1, HeaderBytes = 64, HashBytes = SHA256.HashSizeInBytes;

    private static ReadOnlySpan<byte> Magic => "SKIFFSEQ"u8;

    /// <summary>Writes a file that replaces one of its name when it is whole.</summary>
    /// <param name="sequence">At least one position long.</param>
    /// <param name="tokens">Its tokens, all of them.</param>
    /// <param name="path">The file.</param>
    /// <exception cref="ArgumentException">As many tokens as positions are needed.</exception>
    /// <exception cref="InvalidInputException">The file cannot be written.</exception>
    public static void Save(InferenceSequence sequence, ReadOnlySpan<int> tokens, string path)
    {
        sequence.CheckUsable(sequence.Engine);
        if (tokens.Length != sequence.Position || tokens.Length == 0)
            throw new ArgumentException($"{tokens.Length} tokens for {sequence.Position} positions", nameof(tokens));
        byte[] ids = MemoryMarshal.AsBytes(tokens).ToArray();
        AtomicFile.Write(path, stream =>
        {
            using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            Write(Header(sequence.Engine, sequence.Position, sequence.PlannedLength));
            Write(ids);
            foreach (TilePiece piece in Pieces(sequence.Engine, sequence.Position))
            {
                byte[] tile = piece.Bytes(sequence).ToArray();
                piece.ClearBehind(tile, sequence.Position);
                Write(tile);
            }

            Write(sequence.States);
            stream.Write(hash.GetHashAndReset());

            void Write(ReadOnlySpan<byte> bytes)
            {
                hash.AppendData(bytes);
                stream.Write(bytes);
            }
        });
    }

    /// <summary>The sequence of a file, to go on with.</summary>
    /// <param name="engine">Of the same model and with the same window.</param>
    /// <param name="path">The file.</param>
    /// <param name="tokens">Its tokens.</param>
    /// <exception cref="InvalidInputException">No such file, another model's, or a damaged one; names what is wrong.</exception>
    public static InferenceSequence Load(InferenceEngine engine, string path, out int[] tokens)
    {
        try
        {
            using FileStream stream = new(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 16);
            return Read(engine, path, stream, out tokens);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new InvalidInputException(path, "file", $"cannot be read: {e.Message}", e);
        }
    }

    private static InferenceSequence Read(InferenceEngine engine, string path, FileStream stream, out int[] tokens)
    {
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        byte[] header = new byte[HeaderBytes];
        if (stream.Length < HeaderBytes + HashBytes)
            throw new InvalidInputException(path, "length", $"{stream.Length} bytes are no saved sequence");
        Fill(header);
        if (!header.AsSpan(0, 8).SequenceEqual(Magic))
            throw new InvalidInputException(path, "header", "is not that of a saved sequence");
        int version = Int(8), position = Int(12), planned = Int(16);
        if (version != Version)
            throw new InvalidInputException(path, "version", $"{version} is not {Version}, the one this program reads: save the sequence anew");
        if (position < 1 || position > engine.MaxPositions || planned < 0)
            throw new InvalidInputException(path, "positions", $"{position} of a sequence planned for {planned}, where the model's context is {engine.MaxPositions}");
        byte[] fitting = Header(engine, position, planned);
        if (Int(20) != Int(20, fitting))
            throw new InvalidInputException(path, "cache type", $"it was not saved with keys and values in {engine.CacheType.Name()}: choose the type it was saved with, or compute the prompt anew");
        if (!header.AsSpan().SequenceEqual(fitting))
            throw new InvalidInputException(path, "model", "it was saved with another model, quantization or window: compute the prompt anew");
        TilePiece[] pieces = [.. Pieces(engine, position)];
        long length = HeaderBytes + (long)position * sizeof(int) + pieces.Sum(piece => (long)piece.ByteLength) + engine.Plan.StateBytes + HashBytes;
        if (stream.Length != length)
            throw new InvalidInputException(path, "length", $"{stream.Length} bytes where {length} are needed: the file is damaged");
        using CleanUp made = new(engine.CreateSequence(planned));
        InferenceSequence sequence = made.Sequence!;
        tokens = new int[position];
        Fill(MemoryMarshal.AsBytes(tokens.AsSpan()));
        sequence.Restore(position);
        foreach (TilePiece piece in pieces)
            Fill(piece.Bytes(sequence));
        Fill(sequence.States);
        byte[] stored = new byte[HashBytes];
        stream.ReadExactly(stored);
        if (!stored.AsSpan().SequenceEqual(hash.GetHashAndReset()))
            throw new InvalidInputException(path, "hash", "does not fit what the file holds: the file is damaged");
        foreach (int id in tokens)
        {
            if ((uint)id >= (uint)engine.VocabularySize)
                throw new InvalidInputException(path, "tokens", $"id {id} is outside the vocabulary of {engine.VocabularySize}");
        }

        return made.Keep();

        int Int(int at, byte[]? from = null) => BinaryPrimitives.ReadInt32LittleEndian((from ?? header).AsSpan(at));

        void Fill(Span<byte> bytes)
        {
            stream.ReadExactly(bytes);
            hash.AppendData(bytes);
        }
    }

    // 8 bytes of magic, version, positions, planned length, GGUF's number of the cache's type, and from 32 on a hash of the model and of what its blocks see.
    private static byte[] Header(InferenceEngine engine, int position, int planned)
    {
        byte[] header = new byte[HeaderBytes];
        Magic.CopyTo(header);
        BinaryPrimitives.WriteInt32LittleEndian(header.AsSpan(8), Version);
        BinaryPrimitives.WriteInt32LittleEndian(header.AsSpan(12), position);
        BinaryPrimitives.WriteInt32LittleEndian(header.AsSpan(16), planned);
        BinaryPrimitives.WriteInt32LittleEndian(header.AsSpan(20), engine.CacheType switch { TensorType.F32 => 0, TensorType.I8 => 24, _ => 25 });
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(engine.Identity);
        foreach (LayerConfig layer in engine.Config.Layers)
        {
            (int window, int sinks) = engine.Plan.WindowOf(layer);
            hash.AppendData(MemoryMarshal.AsBytes((ReadOnlySpan<int>)[window, sinks]));
        }

        hash.GetHashAndReset().CopyTo(header, 32);
        return header;
    }

    // What the next position sees, block by block, head by head, keys before values.
    private static IEnumerable<TilePiece> Pieces(InferenceEngine engine, int position)
    {
        for (int block = 0; block < engine.Config.Layers.Count; block++)
        {
            LayerConfig layer = engine.Config.Layers[block];
            if (layer.Kind == LayerKind.Recurrent)
                continue;
            KeyValueShape shape = engine.Plan.ShapeOf(layer);
            (int window, int sinks) = engine.Plan.WindowOf(layer);
            int near = window > 0 ? Math.Max(0, position - window + 1) : 0, first = near / KeyValueTiles.Length, sinkTiles = Math.Min(first, KeyValueTiles.TilesOf(Math.Min(sinks, near)));
            for (int head = 0; head < shape.Heads; head++)
            {
                for (int i = 0, count = sinkTiles + KeyValueTiles.TilesOf(position) - first; i < count; i++)
                {
                    int tile = i < sinkTiles ? i : first + i - sinkTiles;
                    yield return new TilePiece(block, head, tile, shape, Keys: true);
                    yield return new TilePiece(block, head, tile, shape, Keys: false);
                }
            }
        }
    }

    /// <summary>The keys or values of one tile.</summary>
    private readonly record struct TilePiece(int Block, int Head, int Tile, KeyValueShape Shape, bool Keys)
    {
        public int ByteLength => Keys ? Shape.KeyBytes : Shape.ValueBytes;

        public Span<byte> Bytes(InferenceSequence sequence)
        {
            KeyValueTiles tiles = sequence.TilesOf(Block);
            return new Span<byte>(Keys ? tiles.Key(Head, Tile) : tiles.Value(Head, Tile), ByteLength);
        }

        /// <summary>Positions that are not there yet: what lies there is nobody's.</summary>
        public void ClearBehind(Span<byte> bytes, int position) =>
            CacheRows.Clear(Shape, bytes, Math.Min(KeyValueTiles.Length, position - Tile * KeyValueTiles.Length), Keys);
    }

    /// <summary>Gives a sequence's memory back unless it is kept.</summary>
    private sealed class CleanUp(InferenceSequence sequence) : IDisposable
    {
        public InferenceSequence? Sequence { get; private set; } = sequence;

        public InferenceSequence Keep()
        {
            InferenceSequence kept = Sequence!;
            Sequence = null;
            return kept;
        }

        public void Dispose() => Sequence?.Dispose();
    }
}
