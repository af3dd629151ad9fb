namespace Skiff.Models;

/// <summary>UTF-8 text to be counted: whole documents, or pieces of one, cut where every splitting pattern cuts anyway.</summary>
internal sealed class TextChunk(int capacity)
{
    /// <summary>Zero bytes kept free behind the text: scanners look ahead without asking where it ends.</summary>
    public const int Padding = 8;

    /// <summary>The bytes; only the first <see cref="Length"/> are text.</summary>
    public byte[] Text = new byte[capacity + Padding];

    /// <summary>Bytes in use.</summary>
    public int Length;

    /// <summary>Where each piece ends; the last one ends at <see cref="Length"/>.</summary>
    public List<int> Ends { get; } = [];
}
