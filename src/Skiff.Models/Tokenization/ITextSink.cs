namespace Skiff.Models;

/// <summary>What <see cref="TextFileReader"/> fills with UTF-8 text, document by document.</summary>
internal interface ITextSink
{
    /// <summary>Where the text held begins in the source, in bytes: errors count from there.</summary>
    long Position { get; set; }

    /// <summary>Room for up to <paramref name="count"/> more bytes; tell <see cref="Advance"/> how many were written.</summary>
    Span<byte> Room(int count);

    /// <summary>Takes up <paramref name="count"/> bytes written to <see cref="Room"/>.</summary>
    void Advance(int count);

    /// <summary>Ends the present document.</summary>
    void EndDocument();
}
