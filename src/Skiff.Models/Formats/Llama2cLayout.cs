using System.Buffers.Binary;
using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>
/// Where everything lies in a llama2.c checkpoint of version 0 (28-byte header) or 1 (<c>ak42</c>, 256-byte header).
/// Source: export.py and run.c of karpathy/llama2.c.
/// </summary>
internal sealed class Llama2cLayout
{
    /// <summary>"ak42" read as a little-endian number of big-endian text.</summary>
    public const uint Magic = 0x616b3432;

    /// <summary>Bytes of the version 0 header.</summary>
    public const int LegacyHeaderBytes = 28;

    /// <summary>Bytes of the version 1 header.</summary>
    public const int HeaderBytes = 256;

    // No published checkpoint comes near; it keeps all products of two sizes within 64 bits.
    private const int LargestSize = 1 << 28;

    private Llama2cLayout(Llama2cHeader header, int version)
    {
        Header = header;
        Version = version;
    }

    /// <summary>The hyper-parameters.</summary>
    public Llama2cHeader Header { get; }

    /// <summary>0 or 1.</summary>
    public int Version { get; }

    /// <summary>The tensors in file order; of version 0 the unused tables of RoPE are among them.</summary>
    public List<TensorPlace> Tensors { get; } = [];

    /// <summary>The length the whole file must have.</summary>
    public long FileLength { get; private set; }

    /// <summary>Parses the begin of a file of <paramref name="fileLength"/> bytes.</summary>
    /// <exception cref="InvalidInputException">The file is not a float32 llama2.c checkpoint.</exception>
    public static Llama2cLayout Parse(ReadOnlySpan<byte> start, long fileLength, string source)
    {
        if (start.Length < LegacyHeaderBytes)
            throw new InvalidInputException(source, "header", $"a file of {fileLength} bytes is too short for a llama2.c checkpoint");
        Llama2cLayout layout = BinaryPrimitives.ReadUInt32LittleEndian(start) == Magic ? ParseVersioned(start, source) : ParseLegacy(start, source);
        if (layout.FileLength != fileLength)
            throw new InvalidInputException(source, "length", $"the header calls for {layout.FileLength} bytes, the file has {fileLength}: not a llama2.c checkpoint, or cut short");
        return layout;
    }

    /// <summary>The layout of a file to be written.</summary>
    /// <exception cref="InvalidInputException">The hyper-parameters do not fit together.</exception>
    public static Llama2cLayout Of(Llama2cHeader header, int version, string source)
    {
        CheckHeader(header, source);
        Llama2cLayout layout = new(header, version);
        try
        {
            layout.Place(source);
        }
        catch (OverflowException e)
        {
            throw new InvalidInputException(source, "header", "the sizes call for more than 2^63 bytes", e);
        }

        return layout;
    }

    private static Llama2cLayout ParseLegacy(ReadOnlySpan<byte> start, string source)
    {
        int vocabulary = Number(start, 5);
        if (vocabulary == int.MinValue)
            throw new InvalidInputException(source, "vocab_size", $"{vocabulary} is out of range: not a llama2.c checkpoint");
        // A negative vocabulary is the format's mark of an output head of its own.
        return Of(Fields(start, Math.Abs(vocabulary), vocabulary > 0), 0, source);
    }

    private static Llama2cLayout ParseVersioned(ReadOnlySpan<byte> start, string source)
    {
        if (start.Length < HeaderBytes)
            throw new InvalidInputException(source, "header", "the file is cut short");
        int version = Number(start, 1);
        if (version == 2)
            throw new InvalidInputException(source, "version", "2 (int8 quantized) is not supported; export version 0 or 1 (float32)");
        if (version != 1)
            throw new InvalidInputException(source, "version", $"{version} is not supported, only 0 (legacy) and 1");
        byte shared = start[9 * sizeof(int)];
        if (shared > 1)
            throw new InvalidInputException(source, "shared_classifier", $"must be 0 or 1, not {shared}");
        ReadOnlySpan<byte> numbers = start[(2 * sizeof(int))..];
        return Of(Fields(numbers, Number(numbers, 5), shared == 1), 1, source);
    }

    private static Llama2cHeader Fields(ReadOnlySpan<byte> numbers, int vocabulary, bool shared) =>
        new(Number(numbers, 0), Number(numbers, 1), Number(numbers, 2), Number(numbers, 3), Number(numbers, 4), vocabulary, Number(numbers, 6), shared);

    private static int Number(ReadOnlySpan<byte> numbers, int index) => BinaryPrimitives.ReadInt32LittleEndian(numbers[(index * sizeof(int))..]);

    private static void CheckHeader(Llama2cHeader header, string source)
    {
        ReadOnlySpan<(string Name, int Value)> sizes =
        [
            ("dim", header.Dim), ("hidden_dim", header.HiddenDim), ("n_layers", header.Layers), ("n_heads", header.Heads),
            ("n_kv_heads", header.KvHeads), ("vocab_size", header.VocabSize), ("max_seq_len", header.SequenceLength),
        ];
        foreach ((string name, int value) in sizes)
            if (value is <= 0 or > LargestSize)
                throw new InvalidInputException(source, name, $"{value} is not within 1 and {LargestSize}: not a llama2.c checkpoint");
        if (header.Dim % header.Heads != 0 || header.HeadDim % 2 != 0)
            throw new InvalidInputException(source, "n_heads", $"{header.Heads} heads do not divide dim {header.Dim} into even sizes");
        if (header.Heads % header.KvHeads != 0)
            throw new InvalidInputException(source, "n_kv_heads", $"{header.KvHeads} do not divide {header.Heads} heads");
    }

    private void Place(string source)
    {
        // L layers, D model, K keys and values, F feed-forward, V vocabulary
        Llama2cHeader h = Header;
        bool legacy = Version == 0;
        FileLength = legacy ? LegacyHeaderBytes : HeaderBytes;
        if (legacy)
            Append("token_embedding_table", h.VocabSize, h.Dim);
        Append("rms_att_weight", h.Layers, h.Dim);
        if (!legacy)
        {
            Append("rms_ffn_weight", h.Layers, h.Dim);
            Append("rms_final_weight", h.Dim);
            Append("token_embedding_table", h.VocabSize, h.Dim);
        }

        Append("wq", h.Layers, h.Dim, h.Dim);
        Append("wk", h.Layers, h.KvDim, h.Dim);
        Append("wv", h.Layers, h.KvDim, h.Dim);
        Append("wo", h.Layers, h.Dim, h.Dim);
        if (legacy)
            Append("rms_ffn_weight", h.Layers, h.Dim);
        Append("w1", h.Layers, h.HiddenDim, h.Dim);
        Append("w2", h.Layers, h.Dim, h.HiddenDim);
        Append("w3", h.Layers, h.HiddenDim, h.Dim);
        if (legacy)
        {
            Append("rms_final_weight", h.Dim);
            Append("freq_cis_real", h.SequenceLength, h.HeadDim / 2);
            Append("freq_cis_imag", h.SequenceLength, h.HeadDim / 2);
        }

        if (!h.SharedClassifier)
            Append("wcls", h.VocabSize, h.Dim);

        void Append(string name, params ReadOnlySpan<long> shape)
        {
            long bytes = TensorPlace.BytesOf(source, name, TensorType.F32, shape);
            Tensors.Add(new TensorPlace(name, TensorType.F32, shape.ToArray(), FileLength, bytes));
            FileLength = checked(FileLength + bytes);
        }
    }
}
