using System.Text.Json;

namespace Skiff.Models;

/// <summary>A token found in the text before the model runs, as <c>added_tokens</c> of <c>tokenizer.json</c> has it.</summary>
internal sealed record AddedToken(int Id, string Content)
{
    /// <summary>Longest content accepted, in UTF-16 units: matching reads this far ahead.</summary>
    public const int LongestContent = 1024;

    /// <summary>Whether it must stand alone, not inside a word.</summary>
    public bool SingleWord { get; init; }

    /// <summary>Whether it takes the white space before it.</summary>
    public bool LeftStrip { get; init; }

    /// <summary>Whether it takes the white space behind it.</summary>
    public bool RightStrip { get; init; }

    /// <summary>Whether it is looked for in the normalized text.</summary>
    public bool Normalized { get; init; }

    /// <summary>Whether it is a control token, left out of plain decoded text.</summary>
    public bool Special { get; init; }

    /// <summary>Reads one entry; the id is given apart, since <c>added_tokens_decoder</c> has it as the key.</summary>
    public static AddedToken Read(JsonField node, int id)
    {
        string content = node.Get("content").Text();
        if (content.Length is 0 or > LongestContent)
            throw node.Get("content").Refuse($"an added token must have 1 to {LongestContent} characters");
        bool special = node.Bool("special", false);
        return new AddedToken(id, content)
        {
            SingleWord = node.Bool("single_word", false),
            LeftStrip = node.Bool("lstrip", false),
            RightStrip = node.Bool("rstrip", false),
            Normalized = node.Bool("normalized", !special),
            Special = special,
        };
    }

    /// <summary>Writes the entry's properties; with the id as <c>tokenizer.json</c> has it, or without.</summary>
    public void Write(Utf8JsonWriter json, bool withId)
    {
        json.WriteStartObject();
        if (withId)
            json.WriteNumber("id", Id);
        json.WriteString("content", Content);
        json.WriteBoolean("single_word", SingleWord);
        json.WriteBoolean("lstrip", LeftStrip);
        json.WriteBoolean("rstrip", RightStrip);
        json.WriteBoolean("normalized", Normalized);
        json.WriteBoolean("special", Special);
        json.WriteEndObject();
    }
}
