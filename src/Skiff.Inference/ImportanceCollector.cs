using System.Buffers;
using System.Text;
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Inference;

/// <summary>Runs a text through a model and keeps the mean square of what came into each matrix.</summary>
public static class ImportanceCollector
{
    /// <summary>Tokens of a sequence at most: the text is cut into so many, and an unfilled last piece is left out, as llama.cpp does.</summary>
    public const int Chunk = 512;

    /// <summary>Tokens of a sequence with this model.</summary>
    public static int ChunkOf(ModelConfig config) => Math.Min(Chunk, config.MaxPositionEmbeddings);

    /// <summary>Collects the importance of every matrix of the blocks.</summary>
    /// <param name="model">Best before it is quantized.</param>
    /// <param name="text">Plain text, a line of JSON a document with its <c>text</c> (<c>.jsonl</c>), either compressed (<c>.gz</c>).</param>
    /// <param name="progress">Told how many tokens are done, and of how many.</param>
    /// <param name="stop">Ends the work with an <see cref="OperationCanceledException"/>.</param>
    /// <exception cref="InvalidInputException">The text is too short, or activations are no finite numbers.</exception>
    public static ImportanceMatrix Collect(Model model, string text, Action<long, long>? progress = null, CancellationToken stop = default)
    {
        int chunk = ChunkOf(model.Config);
        int[] ids = Tokens(model.Tokenizer, text);
        int chunks = ids.Length / chunk;
        if (chunks == 0)
            throw new InvalidInputException(text, "text", $"{ids.Length} tokens are too few for an importance matrix: give at least {chunk}, better a hundred times as many");
        ImportanceMatrix matrix = new();
        using InferenceEngine engine = new(model, new InferenceEngineOptions { MaxRows = chunk, Inputs = matrix.Add });
        // Each sequence begins as a text does.
        int? begin = ids[0] == model.Tokenizer.BosId ? ids[0] : null;
        for (int c = 0; c < chunks; c++)
        {
            stop.ThrowIfCancellationRequested();
            Memory<int> piece = ids.AsMemory(c * chunk, chunk);
            if (begin is { } id)
                piece.Span[0] = id;
            using InferenceSequence sequence = engine.CreateSequence(chunk);
            engine.Forward([new SequenceTokens(sequence, piece, WantedLogits.None)], []);
            progress?.Invoke((c + 1L) * chunk, (long)chunks * chunk);
        }

        matrix.Check(model.Config, text);
        return matrix;
    }

    internal static int[] Tokens(Tokenizer tokenizer, string text)
    {
        Documents documents = new(text);
        TextFileReader.Read(text, documents, _ => { });
        // What reads like a special token in a text is text.
        return tokenizer.Encode(documents.Decode(), addSpecial: true, parseSpecial: false);
    }

    // All documents of a file, a line end after each.
    private sealed class Documents(string path) : ITextSink
    {
        // As text and as ids it takes several times as much.
        private const int MostBytes = 1 << 28;

        private readonly ArrayBufferWriter<byte> _bytes = new();

        public long Position { get; set; }

        public Span<byte> Room(int count) => _bytes.WrittenCount + (long)count <= MostBytes
            ? _bytes.GetSpan(count)
            : throw new InvalidInputException(path, "text", $"more than {MostBytes >> 20} MiB; a thousandth of it is enough for an importance matrix");

        public void Advance(int count) => _bytes.Advance(count);

        public void EndDocument() => _bytes.Write("\n"u8);

        public string Decode()
        {
            try
            {
                return new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(_bytes.WrittenSpan);
            }
            catch (DecoderFallbackException e)
            {
                throw new InvalidInputException(path, "text", "is not UTF-8", e);
            }
        }
    }
}
