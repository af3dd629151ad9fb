// N rows, D model, E embedding, V vocabulary
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Inference;

/// <summary>From the last block to logits.</summary>
internal sealed unsafe class EngineHead
{
    // Logits of one part: whole vectors of any width.
    private const int PartColumns = 1 << 13;

    private readonly ModelConfig _config;
    private readonly EngineNorm? _finalNorm;
    private readonly PackedMatrix? _projection;
    private readonly PackedMatrix _matrix;
    private readonly float[] _bias;

    public EngineHead(ModelConfig config, EngineWeights weights)
    {
        _config = config;
        _finalNorm = config.FinalNorm ? weights.Norm(config.Norm, "final_norm") : null;
        _projection = config.WordEmbedProjDim != config.HiddenSize ? weights.Matrix("output_projection.weight") : null;
        _matrix = weights.Matrix(config.TieWordEmbeddings ? "embedding.weight" : "head.weight");
        _bias = config.HeadBias ? weights.Values("head", "bias") : [];
    }

    /// <summary>Scratch values that a row takes.</summary>
    public long RowValues => _config.WordEmbedProjDim;

    /// <summary>hidden [N, D], which is overwritten, to logits [N, V].</summary>
    public void Apply(EnginePass pass, MatrixView hidden, Span<float> logits)
    {
        int rows = hidden.Rows;
        _finalNorm?.Apply(pass, hidden, hidden);
        if (_projection is not null)
        {
            MatrixView projected = pass.Take(_config.WordEmbedProjDim);
            pass.Activations.Set(hidden, pass.Team);
            _projection.Multiply(pass.Activations, projected, pass.Team);
            hidden = projected;
        }

        if (_config.LogitScale != 1)
            Scale.Apply(new Span<float>(hidden.Data, hidden.Rows * hidden.Columns), (float)_config.LogitScale, pass.Team);
        pass.Activations.Set(hidden, pass.Team);
        fixed (float* values = logits, bias = _bias)
        {
            _matrix.Multiply(pass.Activations, new MatrixView(values, rows, _config.VocabSize), pass.Team);
            if (bias is null && _config.FinalLogitSoftcapping <= 0)
                return;
            BendPlan plan = new() { Logits = values, Bias = bias, Columns = _config.VocabSize, Parts = (_config.VocabSize + PartColumns - 1) / PartColumns, Cap = (float)_config.FinalLogitSoftcapping };
            pass.Team.Run(rows * plan.Parts, &BendPart, &plan);
        }
    }

    private static void BendPart(void* state, int part)
    {
        BendPlan* plan = (BendPlan*)state;
        int column = part % plan->Parts * PartColumns;
        LogitRow.Bend(
            plan->Logits + (long)(part / plan->Parts) * plan->Columns + column, Math.Min(PartColumns, plan->Columns - column),
            plan->Bias is null ? null : plan->Bias + column, 1, plan->Cap);
    }

    private struct BendPlan
    {
        public float* Logits, Bias;
        public int Columns, Parts;
        public float Cap;
    }
}
