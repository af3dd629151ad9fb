using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Inference;

/// <summary>
/// A sequence as a file, so that what a prompt left behind is computed once and used by many processes: a header, the tokens, how long each
/// block's list of far positions is, the tiles that the next position sees, the recurrent states, and a SHA-256 of all before it. It fits the same model in the same quantization, whatever
/// the engine's rows of a pass.
/// </summary>
public static unsafe class SequenceFile
{
    private const int Version = 2, HeaderBytes = 64, HashBytes = SHA256.HashSizeInBytes;

    private static ReadOnlySpan<byte> Magic => "SKIFFSEQ"u8;

    /// <summary>Writes a file that replaces one of its name when it is whole.</summary>
    /// <param name="sequence">At least one position long.</param>
    /// <param name="tokens">Its tokens, all of them.</param>
    /// <param name="path">The file.</param>
    /// <exception cref="ArgumentException">As many tokens as positions are needed, and a sequence that was not compressed.</exception>
    /// <exception cref="InvalidInputException">The file cannot be written.</exception>
    public static void Save(InferenceSequence sequence, ReadOnlySpan<int> tokens, string path)
    {
        sequence.CheckUsable(sequence.Engine);
        if (tokens.Length != sequence.Position || tokens.Length == 0)
            throw new ArgumentException($"{tokens.Length} tokens for {sequence.Position} positions", nameof(tokens));
        if (sequence.IsCompressed)
            throw new ArgumentException("what a compressed sequence keeps does not follow from its tokens: a file cannot hold it", nameof(sequence));
        byte[] ids = MemoryMarshal.AsBytes(tokens).ToArray();
        AtomicFile.Write(path, stream =>
        {
            using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            Write(Header(sequence.Engine, sequence.Position, sequence.PlannedLength));
            Write(ids);
            int[] entries = [.. sequence.Engine.Config.Layers.Select((layer, block) => layer.Kind == LayerKind.Recurrent ? 0 : sequence.CacheOf(block).FarEntries)];
            Write(MemoryMarshal.AsBytes(entries.AsSpan()));
            foreach (TilePiece piece in Pieces(sequence, entries))
            {
                byte[] tile = piece.Bytes(sequence).ToArray();
                piece.ClearUnseen(tile);
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
        int[] read = new int[position], entries = new int[engine.Config.Layers.Count];
        if (stream.Length - HeaderBytes - HashBytes < (position + (long)entries.Length) * sizeof(int))
            throw Damaged();
        Fill(MemoryMarshal.AsBytes(read.AsSpan()));
        foreach (int id in read)
        {
            if ((uint)id >= (uint)engine.VocabularySize)
                throw new InvalidInputException(path, "tokens", $"id {id} is outside the vocabulary of {engine.VocabularySize}");
        }

        Fill(MemoryMarshal.AsBytes(entries.AsSpan()));
        using CleanUp made = new(new InferenceSequence(engine, planned));
        InferenceSequence sequence = made.Sequence!;
        sequence.Resume(read);
        for (int block = 0; block < entries.Length; block++)
        {
            int least = engine.Config.Layers[block].Kind == LayerKind.Recurrent ? 0 : sequence.SightOf(block)?.FarCount ?? 0;
            if (entries[block] < least || entries[block] > Math.Max(least, position))
                throw new InvalidInputException(path, "list", $"{entries[block]} far positions of block {block}, where there are {least}: the file is damaged");
        }

        TilePiece[] pieces = [.. Pieces(sequence, entries)];
        long length = HeaderBytes + (position + (long)entries.Length) * sizeof(int) + pieces.Sum(piece => (long)piece.ByteLength) + engine.Plan.StateBytes + HashBytes;
        if (stream.Length != length)
            throw Damaged();
        sequence.Restore(entries);
        foreach (TilePiece piece in pieces)
            Fill(piece.Bytes(sequence));
        Fill(sequence.States);
        byte[] stored = new byte[HashBytes];
        stream.ReadExactly(stored);
        if (!stored.AsSpan().SequenceEqual(hash.GetHashAndReset()))
            throw new InvalidInputException(path, "hash", "does not fit what the file holds: the file is damaged");
        tokens = read;
        return made.Keep();

        InvalidInputException Damaged() => new(path, "length", $"{stream.Length} bytes do not fit what it says of itself: the file is damaged");

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
        foreach (VisibilityRule rule in engine.Config.Layers.Select((_, block) => engine.Plan.Rules[engine.Plan.RuleOf(block)]))
            hash.AppendData(Encoding.UTF8.GetBytes(rule.ToString()));
        if (engine.Plan.Anchors is { } anchors)
            hash.AppendData(Encoding.UTF8.GetBytes(anchors.ToJson().ToJsonString()));
        hash.GetHashAndReset().CopyTo(header, 32);
        return header;
    }

    // What the next position sees, block by block: near positions, then the list; head by head, keys before values.
    private static IEnumerable<TilePiece> Pieces(InferenceSequence sequence, int[] entries)
    {
        InferenceEngine engine = sequence.Engine;
        for (int block = 0; block < engine.Config.Layers.Count; block++)
        {
            LayerConfig layer = engine.Config.Layers[block];
            if (layer.Kind == LayerKind.Recurrent)
                continue;
            KeyValueShape shape = engine.Plan.ShapeOf(layer);
            VisibilityWalk? sight = sequence.SightOf(block);
            TilePiece near = new(block, IsFar: false, 0, int.MaxValue, (sight?.NextNear ?? 0, sequence.Position), shape, 0, Keys: true);
            TilePiece far = near with { IsFar = true, Entries = entries[block], Seen = (sight?.NextFar ?? 0, sight?.FarCount ?? 0) };
            foreach (TilePiece part in new[] { near, far }.Where(part => part.Seen.Start < part.Seen.End))
            {
                for (int tile = part.Seen.Start / KeyValueTiles.Length; tile < KeyValueTiles.TilesOf(part.Seen.End); tile++)
                {
                    for (int head = 0; head < shape.Heads; head++)
                    {
                        yield return part with { Tile = tile, Head = head };
                        yield return part with { Tile = tile, Head = head, Keys = false };
                    }
                }
            }
        }
    }

    /// <summary>The keys or values of one head of a tile.</summary>
    private readonly record struct TilePiece(int Block, bool IsFar, int Tile, int Entries, (int Start, int End) Seen, KeyValueShape Shape, int Head, bool Keys)
    {
        public int ByteLength => Keys ? Shape.KeyBytes(Lanes) : Shape.ValueBytes(Lanes);

        private int Lanes => KeyValueTiles.LanesOf(Entries, Tile);

        public Span<byte> Bytes(InferenceSequence sequence)
        {
            KvCache cache = sequence.CacheOf(Block);
            KeyValueTile tile = (IsFar ? cache.Far : cache.Near)[Tile];
            return new Span<byte>(Keys ? tile.Key(Head) : tile.Value(Head), ByteLength);
        }

        /// <summary>What nobody sees is not there yet, or no more: what lies there is nobody's.</summary>
        public void ClearUnseen(Span<byte> bytes)
        {
            int start = Tile * KeyValueTiles.Length;
            CacheRows.Clear(Shape, bytes, Lanes, 0, Math.Clamp(Seen.Start - start, 0, Lanes), Keys);
            CacheRows.Clear(Shape, bytes, Lanes, Math.Clamp(Seen.End - start, 0, Lanes), Lanes, Keys);
        }
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
