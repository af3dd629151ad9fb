namespace Skiff.Training;

/// <summary>The sides of the held-out split, which is by the hash of a document's text, or of a conversation's messages: equal ones are on one side.</summary>
public enum DataSplit
{
    /// <summary>What is trained on.</summary>
    Training,

    /// <summary>What is only measured on.</summary>
    HeldOut,
}
