namespace Skiff.Training;

/// <summary>What the documents of a corpus are.</summary>
public enum DataFormat
{
    /// <summary>Text, every token of which is learnt.</summary>
    Text,

    /// <summary>JSON lines with <c>messages</c>, put into the tokenizer's chat template; what the assistant says is learnt.</summary>
    Chat,
}
