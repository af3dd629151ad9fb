using System.Buffers.Binary;
using System.Text;
using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>
/// Reads llama2.c's <c>tokenizer.bin</c>: int32 longest token, then for each token a float32 score, an int32 length and its
/// bytes, all little-endian. It is a SentencePiece BPE vocabulary with ids 0, 1 and 2 for unknown, BOS and EOS.
/// </summary>
internal static class Llama2cTokenizerReader
{
    /// <summary>Reads the file; BOS is put before texts.</summary>
    /// <exception cref="InvalidInputException">A length does not fit the file.</exception>
    public static TokenizerSpec Read(ReadOnlySpan<byte> bytes, string source)
    {
        if (bytes.Length < 4)
            throw new InvalidInputException(source, "max_token_length", "the file ends within its header");
        int longest = BinaryPrimitives.ReadInt32LittleEndian(bytes);
        List<(string Text, float Score, PieceType Type)> pieces = [];
        for (int at = 4; at < bytes.Length;)
        {
            string field = $"token {pieces.Count}";
            if (bytes.Length - at < 8)
                throw new InvalidInputException(source, field, "the file ends within it");
            float score = BinaryPrimitives.ReadSingleLittleEndian(bytes[at..]);
            int length = BinaryPrimitives.ReadInt32LittleEndian(bytes[(at + 4)..]);
            if (length <= 0 || length > longest || length > bytes.Length - at - 8 || !float.IsFinite(score))
                throw new InvalidInputException(source, field, $"has {length} bytes and score {score}; at most {longest} bytes and a finite score are possible");
            pieces.Add(Piece(Encoding.UTF8.GetString(bytes.Slice(at + 8, length)), score, pieces.Count));
            at += 8 + length;
        }

        if (pieces.Count < 3)
            throw new InvalidInputException(source, "tokens", "there are fewer than the three special ones");
        return new SentencePieceForm { Source = source, Pieces = pieces, AddedBos = 1, Roles = (1, 2, -1, 0) }.Build();
    }

    // The file has spaces for marks, and line ends around the names of BOS and EOS.
    private static (string Text, float Score, PieceType Type) Piece(string text, float score, int id) => id switch
    {
        0 => ("<unk>", score, PieceType.Unknown),
        1 => ("<s>", score, PieceType.Control),
        2 => ("</s>", score, PieceType.Control),
        _ => (text.Replace(' ', '\u2581'), score, ByteAlphabet.FallbackByte(text) >= 0 ? PieceType.Byte : PieceType.Normal),
    };
}
