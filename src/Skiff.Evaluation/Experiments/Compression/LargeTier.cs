using Skiff.Compression;

namespace Skiff.Evaluation;

/// <summary>One teacher of 10 million parameters on real text, with fewer students.</summary>
internal sealed class LargeTier : TextTier
{
    public override string Name => "large";

    public override string What => "The same texts, one teacher of 10 million parameters; learning rates as for the smaller ones";

    public override int Seeds => 1;

    public override string Teacher => "hidden_size: 256, intermediate_size: 704, num_hidden_layers: 12, num_attention_heads: 8, num_key_value_heads: 4";

    public override int TeacherSteps => 976;

    public override double StepCost => 6 * UsualStep;

    public override IReadOnlyList<CompressionArm> ArmsOf(ExperimentSize size) => [.. CompressionArm.All.Where(arm => arm.OnLarge && arm.Budget <= (arm.Distill is null ? 4 : 1))];

    public override string RatesOf => "text";

    public override PruneShape ShapeOf(StudentSize size) => size switch
    {
        StudentSize.Half => new PruneShape { Hidden = 192, Intermediate = 352 },
        StudentSize.Shallow => new PruneShape { LayerCount = 6 },
        _ => new PruneShape { Hidden = 128, Intermediate = 224 },
    };
}
