namespace Skiff.Training;

/// <summary>What the documents of a corpus are.</summary>
public enum DocumentFormat
{
    /// <summary>Texts: a plain file, the <c>text</c> of a line of JSON, or that of a row of parquet. Every token is a target.</summary>
    Text,

    /// <summary>
    /// Conversations: the <c>messages</c> of a line of JSON, written out with a chat template. The targets are the
    /// assistant's tokens, with those that end its turns.
    /// </summary>
    Chat,
}
