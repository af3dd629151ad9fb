using System.Text.Json.Nodes;
using Skiff.Compression;
using Skiff.Inference;
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Evaluation;

/// <summary>What number types cost a model, and what rounding with a text in mind saves of it.</summary>
internal static class QuantizationFigures
{
    // Those whose blocks most rows fill.
    private static readonly string[] s_types = ["q8_0", "q5_1", "q5_0", "q4_1", "q4_0"];

    /// <summary>By type and way: bytes of all matrices, KL to the model as it is, bits for each byte of text.</summary>
    /// <param name="model">In single precision.</param>
    /// <param name="taught">The same after it was taught by itself with weights rounded to q4_0, or null.</param>
    /// <param name="text">A text to round with.</param>
    /// <param name="samples">Others to measure on.</param>
    /// <param name="smoke">One type, and none chosen.</param>
    /// <param name="folder">For files on the way.</param>
    /// <param name="stop">Ends the work.</param>
    public static JsonObject Measure(Model model, Model? taught, string text, IReadOnlyList<Memory<int>> samples, bool smoke, string folder, CancellationToken stop)
    {
        ImportanceMatrix importance = ImportanceCollector.Collect(model, text, stop: stop);
        Directory.CreateDirectory(folder);
        GptqRounding rounding = GptqRounding.Of(model, text, stop: stop);
        JsonArray rows = [];
        Add("f32", "", model);
        foreach (string name in smoke ? s_types[^1..] : s_types)
        {
            QuantizationMix mix = QuantizationMix.All.Single(mix => mix.Name == name);
            Model nearest = Written(model, mix, null, $"{name}.gguf");
            Add(name, "each weight to its nearest", nearest);
            Add(name, "importance matrix", Written(model, mix, importance, $"{name}-importance.gguf"));
            Add(name, "AWQ", Written(ActivationScaling.Of(model, mix, text, stop: stop), mix, null, $"{name}-awq.gguf"));
            if (taught is not null && name == "q4_0")
                Add(name, "taught with weights rounded", Written(taught, mix, null, $"{name}-taught.gguf"));
            Add(name, "GPTQ", rounding.As(mix, stop: stop));
            if (!smoke && name is ("q4_0" or "q5_0"))
                Add(name, "types chosen for the same bytes, GPTQ", rounding.As(MixedTypes.Choose(rounding, BytesOf(nearest), text, stop: stop), stop: stop));
        }

        return new JsonObject { ["rows"] = rows };

        Model Written(Model whole, QuantizationMix mix, ImportanceMatrix? weights, string file)
        {
            string path = Path.Combine(folder, file);
            ModelWriter.Write(whole, path, mix, weights);
            return Model.Open(path);
        }

        void Add(string type, string way, Model other)
        {
            ModelDivergence divergence = ModelDivergence.Measure(model, other, samples, stop);
            rows.Add(new JsonObject
            {
                ["type"] = type,
                ["way"] = way,
                ["bytes"] = BytesOf(other),
                ["kl"] = divergence.Kl,
                ["bits_per_byte"] = CompressionFigures.BitsPerByte(divergence.Loss, model.Tokenizer, samples),
                ["same_top"] = divergence.SameTop,
            });
        }
    }

    private static long BytesOf(Model model) => ParameterList.Of(model.Config).Where(parameter => parameter.IsMatrix).Sum(parameter => model.TypeOf(parameter.Name).ByteLength(parameter.Count));
}
