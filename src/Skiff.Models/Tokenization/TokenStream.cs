using System.Diagnostics.CodeAnalysis;
using System.Text;

namespace Skiff.Models;

/// <summary>
/// Decodes ids as they come. Text is given out once it can no longer change: never half a character, and all parts together
/// equal <see cref="Tokenizer.Decode"/> of all ids. Bytes that are not UTF-8 become U+FFFD. For one thread.
/// </summary>
[SuppressMessage("Naming", "CA1711", Justification = "A stream of text is what it is.")]
public sealed class TokenStream
{
    private readonly Tokenizer _tokenizer;
    private readonly TokenDecoder? _decoder;
    private readonly bool _skipSpecial;
    private readonly System.Text.Decoder _utf8 = Encoding.UTF8.GetDecoder();
    private char[] _chars = new char[64];
    private bool _isFirst = true;
    private int _held = -1;
    private int _stripped;
    private bool _started;
    private int _tail;

    internal TokenStream(Tokenizer tokenizer, TokenDecoder? decoder, bool skipSpecial)
    {
        _tokenizer = tokenizer;
        _decoder = decoder;
        _skipSpecial = skipSpecial;
    }

    /// <summary>
    /// Takes the next id and returns the text that has become final, often empty within a character of several tokens.
    /// Ids without a token add nothing.
    /// </summary>
    public string Append(int id)
    {
        if (_tokenizer.TextOf(id) is null || (_skipSpecial && _tokenizer.IsSpecial(id)))
            return "";
        if (_decoder is not { IsLastSpecial: true })
            return Push(id, isLast: false);
        int before = _held;
        _held = id;
        return before < 0 ? "" : Push(before, isLast: false);
    }

    /// <summary>Ends the text and returns what was held back. The stream is then ready for another text.</summary>
    public string Flush()
    {
        string text = (_held < 0 ? "" : Push(_held, isLast: true)) + Final([], flush: true);
        _held = -1;
        _isFirst = true;
        _started = false;
        _stripped = _tail = 0;
        return text;
    }

    private string Push(int id, bool isLast)
    {
        ReadOnlySpan<byte> bytes = _isFirst || isLast ? _tokenizer.EdgeBytesOf(id, _isFirst, isLast) : _tokenizer.BytesOf(id);
        _isFirst = false;
        return Final(bytes, flush: false);
    }

    private string Final(ReadOnlySpan<byte> bytes, bool flush)
    {
        if (_chars.Length < bytes.Length + 4)
            _chars = new char[bytes.Length + 4];
        ReadOnlySpan<char> text = _chars.AsSpan(0, _utf8.GetChars(bytes, _chars, flush));
        if (_decoder?.Strip is not DecoderStep strip)
            return text.ToString();
        char content = strip.Content[0];
        while (!_started && text.Length > 0)
        {
            if (text[0] != content || _stripped == strip.Start)
            {
                _started = true;
                break;
            }

            text = text[1..];
            _stripped++;
        }

        if (strip.Stop == 0)
            return text.ToString();

        // The last few stripped characters may turn out to be the end of the text.
        int before = _tail;
        int run = text.Length - text.TrimEnd(content).Length;
        bool allRun = run == text.Length;
        _tail = Math.Min(strip.Stop, allRun ? before + run : run);
        int given = (allRun ? before + run : before + text.Length) - _tail;
        string all = new string(content, before) + text.ToString();
        return all[..given];
    }
}
