using System.Text;
using System.Text.Json;
using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>
/// Turns tokens back into bytes. Every step works on one token by itself, knowing only whether it is the first or last, so
/// that text can be streamed; what is left to do on the joined text is the stripping of its ends.
/// </summary>
internal sealed class TokenDecoder
{
    private readonly DecoderStep[] _steps;
    private readonly bool _isSequence;

    /// <summary>A chain of steps; those behind a <c>Fuse</c> may only strip the joined text.</summary>
    public TokenDecoder(DecoderStep[] steps, bool isSequence)
    {
        _steps = steps;
        _isSequence = isSequence;
        int fuse = Array.FindIndex(steps, s => s.Type == "Fuse");
        foreach (DecoderStep step in fuse < 0 ? [] : steps[(fuse + 1)..])
        {
            if (step.Type == "Strip")
                Strip = step;
        }

        IsLastSpecial = steps.Any(s => s.Type == "BPEDecoder");
    }

    /// <summary>The stripping of the joined text's ends, where there is one.</summary>
    public DecoderStep? Strip { get; }

    /// <summary>Whether the last token reads otherwise than one in the middle, so that streaming lags one token behind.</summary>
    public bool IsLastSpecial { get; }

    /// <summary>Whether the chain has a step of this type.</summary>
    public bool Has(string type) => _steps.Any(s => s.Type == type);

    /// <summary>Reads any known decoder or a sequence of them.</summary>
    /// <exception cref="InvalidInputException">A type is unknown, or a step cannot work token by token.</exception>
    public static TokenDecoder Read(JsonField node)
    {
        if (node.Get("type").Text() != "Sequence")
            return new TokenDecoder([DecoderStep.Read(node)], isSequence: false);
        List<DecoderStep> steps = [];
        bool fused = false;
        bool stripped = false;
        foreach (JsonField part in node.Get("decoders").Items())
        {
            DecoderStep step = DecoderStep.Read(part);
            // A single character is replaced alike before and after joining; anything else is not.
            bool allowed = !fused || step.Type == "Fuse" || (step.Type == "Strip" && !stripped) || step is { Type: "Replace", Pattern: { IsRegex: false, Text.Length: 1 } };
            if (!allowed)
                throw part.Refuse($"decoder '{step.Type}' behind 'Fuse' is not supported");
            stripped |= fused && step.Type == "Strip";
            fused |= step.Type == "Fuse";
            steps.Add(step);
        }

        return new TokenDecoder([.. steps], isSequence: true);
    }

    /// <summary>Writes the object of <c>tokenizer.json</c>.</summary>
    public void Write(Utf8JsonWriter json)
    {
        if (!_isSequence)
        {
            _steps[0].Write(json);
            return;
        }

        json.WriteStartObject();
        json.WriteString("type", "Sequence");
        json.WriteStartArray("decoders");
        foreach (DecoderStep step in _steps)
            step.Write(json);
        json.WriteEndArray();
        json.WriteEndObject();
    }

    /// <summary>The bytes a token adds to the text.</summary>
    public byte[] BytesOf(string token, bool isFirst, bool isLast)
    {
        string text = token;
        bool fused = false;
        foreach (DecoderStep step in _steps)
        {
            switch (step.Type)
            {
                case "ByteLevel":
                    return ByteAlphabet.BytesOf(text) ?? Encoding.UTF8.GetBytes(text);
                case "ByteFallback" when ByteAlphabet.FallbackByte(text) is int value and >= 0:
                    return [(byte)value];
                case "Fuse":
                    fused = true;
                    break;
                case "Strip" when fused:
                    break;
                default:
                    text = step.Apply(text, isFirst, isLast);
                    break;
            }
        }

        return Encoding.UTF8.GetBytes(text);
    }
}
