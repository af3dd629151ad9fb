using System.Text.Json;
using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>One decoder of <c>tokenizer.json</c>.</summary>
internal sealed record DecoderStep(string Type)
{
    // The order and the texts are those of Hugging Face's WordPiece clean-up.
    private static readonly (string From, string To)[] s_cleanup =
    [
        (" .", "."), (" ?", "?"), (" !", "!"), (" ,", ","), (" ' ", "'"), (" n't", "n't"), (" 'm", "'m"), (" do not", " don't"),
        (" 's", "'s"), (" 've", "'ve"), (" 're", "'re"),
    ];

    /// <summary>What <c>Replace</c> looks for.</summary>
    public TextPattern? Pattern { get; init; }

    /// <summary>What <c>Replace</c> puts in, the character <c>Strip</c> takes off, a WordPiece prefix or a BPE suffix.</summary>
    public string Content { get; init; } = "";

    /// <summary>Most characters <c>Strip</c> takes off the start.</summary>
    public int Start { get; init; }

    /// <summary>Most characters <c>Strip</c> takes off the end.</summary>
    public int Stop { get; init; }

    /// <summary>Whether <c>WordPiece</c> tidies the spaces before punctuation.</summary>
    public bool Cleanup { get; init; }

    /// <summary>When <c>Metaspace</c> drops the first mark.</summary>
    public PrependScheme Scheme { get; init; }

    /// <summary>Whether <c>Metaspace</c> cuts at its marks; written back, of no use here.</summary>
    public bool Split { get; init; } = true;

    /// <summary>Reads one decoder.</summary>
    /// <exception cref="InvalidInputException">The type is unknown or a setting is wrong.</exception>
    public static DecoderStep Read(JsonField node)
    {
        string type = node.Get("type").Text();
        return type switch
        {
            "ByteLevel" or "ByteFallback" or "Fuse" => new DecoderStep(type),
            "Replace" => new DecoderStep(type) { Pattern = TextPattern.Read(node.Get("pattern")), Content = node.Get("content").Text() },
            "Strip" => ReadStrip(node),
            "WordPiece" => new DecoderStep(type) { Content = node.Text("prefix") ?? "##", Cleanup = node.Bool("cleanup", true) },
            "BPEDecoder" => new DecoderStep(type) { Content = node.Text("suffix") is string suffix and not "" ? suffix : throw node.Refuse("'suffix' is empty") },
            "Metaspace" => new DecoderStep(type)
            {
                Content = MetaspacePreTokenizer.ReadReplacement(node).ToString(),
                Scheme = MetaspacePreTokenizer.ReadScheme(node),
                Split = node.Bool("split", true),
            },
            _ => throw node.Refuse($"decoder '{type}' is not supported"),
        };
    }

    /// <summary>What a token becomes.</summary>
    public string Apply(string token, bool isFirst, bool isLast)
    {
        switch (Type)
        {
            case "Replace":
                return Pattern!.Replace(token, Content);
            case "Strip":
                return Strip(token);
            case "Metaspace":
                return token.Replace(Content, isFirst && Scheme != PrependScheme.Never ? "" : " ", StringComparison.Ordinal);
            case "BPEDecoder":
                return token.Replace(Content, isLast ? "" : " ", StringComparison.Ordinal);
            case "WordPiece":
                if (!isFirst)
                    token = token.StartsWith(Content, StringComparison.Ordinal) ? token[Content.Length..] : " " + token;
                foreach ((string from, string to) in Cleanup ? s_cleanup : [])
                    token = token.Replace(from, to, StringComparison.Ordinal);
                return token;
            default:
                return token;
        }
    }

    /// <summary>Writes the object.</summary>
    public void Write(Utf8JsonWriter json)
    {
        if (Type == "Metaspace")
        {
            MetaspacePreTokenizer.Write(json, Content[0], Scheme, Split);
            return;
        }

        json.WriteStartObject();
        json.WriteString("type", Type);
        switch (Type)
        {
            case "ByteLevel":
                json.WriteBoolean("add_prefix_space", true);
                json.WriteBoolean("trim_offsets", true);
                json.WriteBoolean("use_regex", true);
                break;
            case "Replace":
                Pattern!.Write(json);
                json.WriteString("content", Content);
                break;
            case "Strip":
                json.WriteString("content", Content);
                json.WriteNumber("start", Start);
                json.WriteNumber("stop", Stop);
                break;
            case "WordPiece":
                json.WriteString("prefix", Content);
                json.WriteBoolean("cleanup", Cleanup);
                break;
            case "BPEDecoder":
                json.WriteString("suffix", Content);
                break;
        }

        json.WriteEndObject();
    }

    private static DecoderStep ReadStrip(JsonField node)
    {
        DecoderStep step = new("Strip")
        {
            Content = node.Get("content").Text(),
            Start = node.Int("start", 0),
            Stop = node.Int("stop", 0),
        };
        return step.Content.Length == 1 && step.Start is >= 0 and <= 1024 && step.Stop is >= 0 and <= 1024
            ? step
            : throw node.Refuse("must have one character and counts from 0 to 1024");
    }

    private string Strip(string token)
    {
        int start = 0;
        while (start < Start && start < token.Length && token[start] == Content[0])
            start++;
        int stop = token.Length;
        while (token.Length - stop < Stop && stop > start && token[stop - 1] == Content[0])
            stop--;
        return token[start..stop];
    }
}
