using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Compression;

/// <summary>
/// What a plan leaves of a model (Minitron, arXiv 2407.14679, section 2.3): rows and columns of its matrices, entries of its vectors, whole
/// blocks. Nothing is copied until it is asked for.
/// </summary>
public static class PrunedModel
{
    /// <summary>Prunes.</summary>
    /// <param name="model">The model.</param>
    /// <param name="plan">What stays.</param>
    /// <exception cref="InvalidInputException">The plan names what is not there, or leaves what the model's family has no description for.</exception>
    public static Model Of(Model model, PrunePlan plan)
    {
        ModelConfig config = PrunedConfig.Of(model.Config, plan, model.Path);
        Slicer slicer = new(model, plan, config);
        Dictionary<string, Parameter> parameters = ParameterList.Of(config).ToDictionary(parameter => parameter.Name);
        return model.With(config, name => slicer.Slice(parameters[name]), name => model.TypeOf(slicer.SourceOf(parameters[name]).Name));
    }

    private sealed class Slicer
    {
        private readonly Model _model;
        private readonly PrunePlan _plan;
        private readonly int[] _weights;
        private readonly Dictionary<string, Parameter> _parameters;
        // A family may derive the embedding's scale from a width: the table makes up for it, and where it is the head too, the last norm for the table.
        private readonly double _scale;

        public Slicer(Model model, PrunePlan plan, ModelConfig config)
        {
            (_model, _plan) = (model, plan);
            _weights = [.. (plan.Layers ?? [.. Enumerable.Range(0, model.Config.NumHiddenLayers)]).Select(l => model.Config.Layers[l].Weights).Distinct()];
            _parameters = ParameterList.Of(model.Config).ToDictionary(parameter => parameter.Name);
            _scale = model.Config.EmbeddingScale / config.EmbeddingScale;
        }

        /// <summary>Where a parameter of what is left comes from.</summary>
        public Parameter SourceOf(Parameter parameter)
        {
            int layer = parameter.Layer < 0 ? -1 : _weights[parameter.Layer], index = parameter.Index;
            if (index >= 0 && _plan.Kept(ParameterAxes.IndexOf(parameter), Block(layer), -1) is { } kept)
                index = kept[index];
            bool shared = _model.Config.SharedFeedForward && parameter.Module is "gate" or "up" or "down";
            return _parameters[Parameter.NameOf(parameter.Module, parameter.Kind, shared ? 0 : layer, index)];
        }

        public Tensor Slice(Parameter parameter)
        {
            Parameter source = SourceOf(parameter);
            (AxisUse rowAxis, AxisUse columnAxis) = ParameterAxes.Of(_model.Config, source);
            Tensor whole = _model.Parameter(source.Name);
            int[]? rows = Positions(rowAxis, source), columns = Positions(columnAxis, source);
            double factor = FactorOf(parameter, source);
            HeadResidual? residual = source.Layer >= 0 && source.Module is "query" or "query_b" or "output" ? _plan.HeadResiduals?.GetValueOrDefault(source.Layer) : null;
            if (rows is null && columns is null && factor == 1)
                return whole;
            // A vector is a column to read, whose entries are rows here.
            int width = source.Columns;
            whole = whole.Reshape(source.Rows, width);
            float[] from = new float[width], partner = new float[residual is null ? 0 : width], to = columns is null ? from : new float[columns.Length];
            Tensor result = Tensor.Allocate(whole.Type == TensorType.F64 ? TensorType.F64 : TensorType.F32, rows?.Length ?? source.Rows, to.Length);
            for (int r = 0; r < result.Rows; r++)
            {
                whole.ReadRow(rows is null ? r : rows[r], from);
                if (residual is not null)
                    Fold(residual, rowAxis, columnAxis, rows?[r] ?? r, whole, from, partner);
                for (int c = 0; columns is not null && c < columns.Length; c++)
                    to[c] = from[columns[c]];
                for (int c = 0; factor != 1 && c < to.Length; c++)
                    to[c] = Scaled(to[c], parameter, factor);
                result.WriteRow(r, to);
            }

            return result.Reshape([.. parameter.Shape]);
        }

        // By rows where they are heads, otherwise by columns.
        private static void Fold(HeadResidual residual, AxisUse rowAxis, AxisUse columnAxis, int row, Tensor whole, float[] values, float[] partner)
        {
            if (rowAxis.Axis == PruneAxis.Head)
            {
                if (!residual.Partners.TryGetValue(row / rowAxis.Size, out int other))
                    return;
                whole.ReadRow((other * rowAxis.Size) + (row % rowAxis.Size), partner);
                for (int c = 0; c < values.Length; c++)
                    values[c] += residual.Sign * (values[c] - partner[c]);
            }
            else if (columnAxis.Axis == PruneAxis.Head)
            {
                foreach ((int head, int other) in residual.Partners)
                {
                    for (int c = 0; c < columnAxis.Size; c++)
                        values[(head * columnAxis.Size) + c] += residual.Sign * (values[(head * columnAxis.Size) + c] - values[(other * columnAxis.Size) + c]);
                }
            }
        }

        private double FactorOf(Parameter parameter, Parameter source) => parameter.Module switch
        {
            "embedding" => _scale,
            "final_norm" when _model.Config.TieWordEmbeddings => 1 / _scale,
            // Scores are divided by the block's number, which is another now.
            "query" when _model.Config.ScaleAttnByInverseLayerIdx => (parameter.Layer + 1.0) / (source.Layer + 1),
            _ => 1,
        };

        private float Scaled(float value, Parameter parameter, double factor)
        {
            float offset = parameter.Module == "final_norm" && parameter.Kind == "weight" ? _model.Config.Norm.GainOffset : 0;
            return (float)(((value + offset) * factor) - offset);
        }

        private int[]? Positions(AxisUse use, Parameter source) => _plan.Kept(use.Axis, Block(source.Layer), source.Index) is { } kept
            ? [.. kept.SelectMany(i => Enumerable.Range(i * use.Size, use.Size))]
            : null;

        private LayerConfig? Block(int weights) => weights < 0 ? null : _model.Config.Layers.First(layer => layer.Weights == weights);
    }
}
