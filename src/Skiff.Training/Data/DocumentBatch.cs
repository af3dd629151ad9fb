namespace Skiff.Training;

/// <summary>Some documents of the corpus in order: their text, then their ids. Used again and again.</summary>
internal sealed class DocumentBatch
{
    /// <summary>The documents' UTF-8 text, one behind the other.</summary>
    public byte[] Text = [];

    /// <summary>The documents' ids, one behind the other.</summary>
    public int[] Ids = [];

    /// <summary>Whether each id is the loss's to ask for; empty where all are.</summary>
    public bool[] IsTarget = [];

    /// <summary>Bytes of <see cref="Text"/> in use, a document still being read included.</summary>
    public int Length { get; set; }

    /// <summary>Where each document ends in <see cref="Text"/>.</summary>
    public List<int> TextEnds { get; } = [];

    /// <summary>The file and the line that each document comes from; 0 where a document is no line.</summary>
    public List<(string File, long Line)> Origins { get; } = [];

    /// <summary>Where each document ends in <see cref="Ids"/>.</summary>
    public List<int> IdEnds { get; } = [];

    /// <summary>The bytes of each document's text; of a conversation, as it is written out.</summary>
    public List<uint> TextBytes { get; } = [];

    /// <summary>The upper 32 bits of the hash of each document's text, or of its messages.</summary>
    public List<uint> Hashes { get; } = [];

    /// <summary>Bytes of the sources read when the batch was full.</summary>
    public long SourceBytes { get; set; }

    /// <summary>Ends when the ids are there.</summary>
    public TaskCompletionSource Encoded { get; private set; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Empties the batch.</summary>
    public void Reset()
    {
        Length = 0;
        TextEnds.Clear();
        IdEnds.Clear();
        Origins.Clear();
        TextBytes.Clear();
        Hashes.Clear();
        Encoded = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
