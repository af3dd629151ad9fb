using System.Text.Json.Nodes;
using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>
/// A model trained with <c>scale_emb</c>, <c>scale_depth</c> and <c>dim_model_base</c> as one without: the factors go into the embedding,
/// into what ends each branch, and into the final norm or the head. It computes the same and needs nothing that other tools do not know.
/// </summary>
public static class ScaleFolding
{
    private static readonly HashSet<string> s_branchEnds = ["output", "down", "experts.down", "recurrent_out"];
    private static readonly HashSet<string> s_branchNorms = ["post_attention_norm", "post_feed_forward_norm"];

    /// <summary>
    /// The same model without those scales; a MiniCPM becomes a Llama. A tied head stays tied where the final norm has a gain to hold its
    /// factor. Changed parameters are made anew each time they are asked for, in single precision.
    /// </summary>
    public static Model Fold(Model model)
    {
        ModelConfig config = model.Config, plain = ScaleKeys.Remove(config);
        double embedding = config.EmbeddingScale / plain.EmbeddingScale, branch = config.ResidualScale / plain.ResidualScale;
        double head = config.LogitScale / plain.LogitScale;
        bool inNorm = config.FinalNorm && config.Norm.Gain, untie = config.TieWordEmbeddings && !inNorm;
        // What norms a branch behind its matrices would undo a factor in front of it.
        bool normed = config.NormPlacement is NormPlacement.AfterBranch or NormPlacement.Both;
        if (untie)
            plain = plain.With(new Dictionary<string, JsonNode?> { ["tie_word_embeddings"] = false });
        Dictionary<string, Parameter> parameters = ParameterList.Of(plain).ToDictionary(p => p.Name);
        return new Model(model.Path, plain, Folded, name => model.TypeOf(Origin(name)), () => model.HasTokenizer ? model.Tokenizer : null, model.Type)
        {
            Generation = model.Generation,
            Forget = model.Forget,
        };

        string Origin(string name) => untie && name == "head.weight" ? "embedding.weight" : name;

        Tensor Folded(string name)
        {
            Parameter parameter = parameters[name];
            Tensor tensor = model.Parameter(Origin(name));
            double factor = FactorOf(parameter);
            // Gains are stored less an offset, which the factor concerns too.
            bool gain = parameter.Kind == "weight" && parameter.Module.EndsWith("_norm", StringComparison.Ordinal);
            return factor == 1 ? tensor : Scaled(tensor, factor, gain ? config.Norm.GainOffset : 0);
        }

        double FactorOf(Parameter p) => p.Module switch
        {
            "embedding" => embedding,
            // A tied head has got the embedding's factor.
            "final_norm" when inNorm => config.TieWordEmbeddings ? head / embedding : head,
            "head" when !inNorm && p.Kind == "weight" => head,
            _ when (normed ? s_branchNorms : s_branchEnds).Contains(p.Module) => branch,
            _ => 1,
        };
    }

    private static Tensor Scaled(Tensor tensor, double factor, double offset)
    {
        Tensor result = Tensor.AllocateRaw(TensorType.F32, tensor.Shape.ToArray());
        Tensor from = tensor.Shape.Count == 1 ? tensor.Reshape(1, tensor.Count) : tensor, to = result.Reshape(from.Shape.ToArray());
        Parallel.For(0, from.Rows, r =>
        {
            float[] row = new float[from.Columns];
            from.ReadRow(r, row);
            for (int i = 0; i < row.Length; i++)
                row[i] = (float)(factor * (row[i] + offset) - offset);
            to.WriteRow(r, row);
        });
        return result;
    }
}
