namespace Skiff.Training;

/// <summary>How one parameter is trained.</summary>
/// <param name="RateScale">Factor on the learning rate.</param>
/// <param name="WeightDecay">Share that a step of learning rate 1 would take away.</param>
/// <param name="Muon">By Muon rather than AdamW.</param>
internal readonly record struct ParameterRate(double RateScale, double WeightDecay, bool Muon);
