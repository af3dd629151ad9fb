namespace Skiff.Training;

/// <summary>The sides of the held-out split, which is by the hash of a document's text: equal texts are on one side.</summary>
public enum DataSplit
{
    /// <summary>What is trained on.</summary>
    Training,

    /// <summary>What is only measured on.</summary>
    HeldOut,
}
