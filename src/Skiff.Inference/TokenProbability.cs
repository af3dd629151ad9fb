namespace Skiff.Inference;

/// <summary>A token that could have come, and how probable it was.</summary>
/// <param name="Id">Its id.</param>
/// <param name="LogProbability">Natural log of its probability under the model.</param>
public readonly record struct TokenProbability(int Id, double LogProbability);
