using System.Text.Json;

namespace Skiff.Models;

/// <summary>The part that turns a piece of text into ids.</summary>
internal abstract class TokenModel(Vocabulary vocabulary)
{
    /// <summary>SentencePiece's mark for a space.</summary>
    protected const char Mark = '\u2581';

    /// <summary>The model's own tokens, without the added ones.</summary>
    public Vocabulary Vocabulary => vocabulary;

    /// <summary>The token for what the model cannot express, if it has one.</summary>
    public abstract int? UnknownId { get; }

    /// <summary>Appends the ids of one piece, which is not empty, to the workspace.</summary>
    public abstract void Encode(ReadOnlySpan<char> piece, Workspace workspace);

    /// <summary>Writes the <c>model</c> object of <c>tokenizer.json</c>.</summary>
    public abstract void Write(Utf8JsonWriter json);

    /// <summary>Takes the marks that begin a piece and the word after them off it, as long as another mark follows.</summary>
    protected static bool TakeWord(ref ReadOnlySpan<char> piece, out ReadOnlySpan<char> word)
    {
        int letters = piece.IndexOfAnyExcept(Mark);
        int next = letters < 0 ? -1 : piece[letters..].IndexOf(Mark);
        word = next < 0 ? default : piece[..(letters + next)];
        piece = piece[word.Length..];
        return next >= 0;
    }

    /// <summary>Writes <c>vocab</c> as an object of text to id.</summary>
    protected void WriteVocabulary(Utf8JsonWriter json)
    {
        json.WriteStartObject("vocab");
        foreach ((string text, int id) in vocabulary.Tokens())
            json.WriteNumber(text, id);
        json.WriteEndObject();
    }
}
