using System.Text.Json.Nodes;
using Skiff.Inference;
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Training;

/// <summary>The model of a run: how its parameters begin, and what the trained ones are to others.</summary>
/// <param name="setup">The recipe made concrete.</param>
/// <param name="parameters">Its parameters.</param>
/// <param name="turnEnd">The token that ends a turn of the conversations trained on, or null.</param>
internal sealed class RunModel(TrainingSetup setup, TrainingParameters parameters, int? turnEnd)
{
    /// <summary>The matrices that are no part of the model, which a checkpoint keeps beside it.</summary>
    public IEnumerable<(string Name, Tensor Tensor)> Beside => parameters.All.Where(p => p.IsBeside).Select(p => (p.Parameter.Name, p.Value));

    /// <summary>Gives the parameters their first values: from the seed, or those of the model that is continued.</summary>
    public void Begin()
    {
        setup.Parametrization.Initialize(parameters, setup.Recipe.Seed);
        if (setup.Start is { } start)
            parameters.Load(setup.AddedRow is { } added ? added.Parameter : start.Parameter);
    }

    /// <summary>Gives the parameters the values of a checkpoint; what lies beside it comes with the optimizer's state.</summary>
    /// <exception cref="InvalidInputException">It holds another model.</exception>
    public void Load(Checkpoint from)
    {
        Model model = Model.Open(from.Path);
        RefuseOther(model);
        parameters.Load(setup.Lora is null ? model.Parameter : setup.Start!.Parameter);
    }

    /// <summary>The model as it stands, adapters worked in.</summary>
    public Model As(ModelConfig config, string path)
    {
        Func<string, Tensor> source = setup.Lora is { } lora ? new LoraMerge(parameters, lora).Parameter : name => parameters[name].Value;
        JsonObject? own = setup.Start?.Generation;
        Model model = new(path, config, source, _ => TensorType.F32, () => setup.Tokenizer, TensorType.F32) { Generation = own };
        if (turnEnd is not { } end)
            return model;
        // A model that learnt conversations stops where their turns end too.
        JsonObject generation = (JsonObject?)own?.DeepClone() ?? [];
        generation["eos_token_id"] = new JsonArray([.. model.EndIds.Append(end).Distinct().Order().Select(id => (JsonNode)id)]);
        return new Model(path, config, source, _ => TensorType.F32, () => setup.Tokenizer, TensorType.F32) { Generation = generation };
    }

    /// <summary>Writes the adapters alone, in PEFT's form.</summary>
    public void WriteAdapter(string folder)
    {
        LoraSettings lora = setup.Lora!;
        LoraAdapterWriter.Write(folder, setup.Config, setup.Recipe.InitFrom!, lora.Rank, lora.Alpha, new LoraMerge(parameters, lora).Adapter);
    }

    /// <summary>What the model writes behind a prompt, as the recipe's samples want it.</summary>
    public string Sample(Model model, string prompt)
    {
        RecipeSamples options = setup.Recipe.Samples;
        using InferenceEngine engine = new(model);
        Generator generator = new(engine, setup.Tokenizer);
        int[] ids = generator.PromptIds(prompt);
        int room = engine.MaxPositions - ids.Length + 1;
        if (room < 1)
            return "";
        SamplingOptions sampling = new() { Temperature = (float)options.Temperature, Seed = (ulong)setup.Recipe.Seed };
        Sampler sampler = new(sampling, setup.Config.VocabSize);
        GenerationOptions generation = new() { MaxTokens = Math.Min(room, options.MaxTokens), EndIds = [.. model.EndIds] };
        return string.Concat(generator.Generate(ids, sampler, generation).Select(token => token.Text));
    }

    private void RefuseOther(Model model)
    {
        Dictionary<string, Parameter> there = ParameterList.Of(model.Config).ToDictionary(p => p.Name);
        foreach (Parameter own in ParameterList.Of(setup.Config))
        {
            if (!there.Remove(own.Name, out Parameter? other) || !other.Shape.SequenceEqual(own.Shape))
                throw new InvalidInputException(model.Path, own.Name, "is missing or has another shape: the recipe's model is not that of the run");
        }

        if (there.Count > 0)
            throw new InvalidInputException(model.Path, there.Keys.First(), "has no place: the recipe's model is not that of the run");
    }
}
