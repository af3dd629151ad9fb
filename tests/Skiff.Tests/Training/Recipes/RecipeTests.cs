using System.Collections;
using System.Text.Json.Nodes;
using Skiff.Models;
using Skiff.Tensors;
using Skiff.Training;

namespace Skiff.Tests.Training.Recipes;

public sealed class RecipeTests
{
    [Fact]
    public void EveryKeyIsBound()
    {
        Recipe recipe = Recipes.Parse(Recipes.Whole);
        Assert.Equal(("runs/a: b", 7, 0.02, 512, 16, 4), (recipe.Output, recipe.Seed, recipe.HeldOut, recipe.ContextLength, recipe.BatchSize, recipe.MicroBatchSize));
        Assert.Equal("q4_0", recipe.RoundTo);
        Assert.Equal((false, 20_000_000, null, true, 4000), (recipe.DocumentMask, recipe.Tokens, recipe.Steps, recipe.Recompute, recipe.Tokenizer!.VocabSize));
        Assert.Equal("zoo:smollm2-135m", recipe.Model!.Base);
        Assert.Equal(
            """{"hidden_size":256,"rms_norm_eps":1E-06,"rope_scaling":{"rope_type":"yarn","factor":4,"names":["1",true,null,"true",2]},"tie_word_embeddings":false}""",
            recipe.Model.Keys.ToJsonString());
        Assert.Equal(["a.jsonl.gz", "dir/", "x/*.parquet"], recipe.Data[0].Files);
        Assert.Equal(("books", 3.0, DocumentFormat.Text), (recipe.Data[0].Name, recipe.Data[0].Weight, recipe.Data[0].Format));
        Assert.Equal(("chat", 0.5, DocumentFormat.Chat, "c.jsonl"), (recipe.Data[1].Name, recipe.Data[1].Weight, recipe.Data[1].Format, Assert.Single(recipe.Data[1].Files)));
        Assert.Equal(new RecipeDistill { Teacher = "t.gguf", Loss = Divergence.ReverseKl, Temperature = 2, TopK = 64, LabelWeight = 0.5, Cache = "t.top", TeacherRate = 0.2, States = recipe.Distill!.States }, recipe.Distill);
        Assert.Equal(["embedding", "5:1"], recipe.Distill.States);
        RecipeAnchors anchors = recipe.Anchors!;
        Assert.Equal((AnchorKind.Endpoint, AnchorUnit.Line, ";", true, 2, 48), (anchors.Kind, anchors.Unit, Assert.Single(anchors.EndTokens), anchors.AnchorsSeeAnchors, anchors.AnchorsPerSegment, anchors.MaxSegment));
        Assert.Equal((4, 32, 0.25, AnchorStart.Stop), (anchors.Sinks, anchors.LastVisible, anchors.FullShare, anchors.Init));
        Assert.Equal(new RecipeParametrization { Form = ParametrizationForm.Mup, InitStd = 0.05, BaseWidth = 128, ScaleEmb = 10, ScaleDepth = 1, EmbedAsHidden = false }, recipe.Parametrization);
        RecipeOptimizer optimizer = recipe.Optimizer;
        Assert.Equal((OptimizerKind.Muon, 0.004, 0.8, 0.99, 1e-9), (optimizer.Name, optimizer.LearningRate, optimizer.Beta1, optimizer.Beta2, optimizer.Epsilon));
        Assert.Equal((0.2, 0.5, 0.03, 0.9), (optimizer.WeightDecay, optimizer.Clip, optimizer.MuonLearningRate, optimizer.MuonMomentum));
        Assert.Equal([new() { Match = "embedding.*", LearningRateScale = 2, WeightDecay = 0 }, new() { Match = "*.bias" }], optimizer.Groups);
        Assert.Equal(new RecipeSchedule { WarmupSteps = 12, DecaySteps = 200, Decay = DecayForm.Exponential, HalfLife = 300, Floor = 0.1 }, recipe.Schedule);
        Assert.Equal([new() { From = new(10_000_000), ContextLength = 1024, RopeTheta = 50_000 }], recipe.Stages.Take(1));
        Assert.Equal((null, 0.5, null), (recipe.Stages[1].From.Tokens, recipe.Stages[1].LearningRateScale, recipe.Stages[1].RopeTheta));
        Assert.Equal(new Dictionary<string, double> { ["books"] = 1, ["chat"] = 2 }, recipe.Stages[1].Mixture);
        Assert.Equal((new() { Balance = 0.02, Z = 0.002 }, new() { Every = 50, Tokens = 10_000 }), (recipe.Experts, recipe.Validation));
        Assert.Equal((new() { Every = 400, Keep = 3, Best = false }, new() { Spike = 2, Patience = 40 }), (recipe.Checkpoint, recipe.Watchdog));
        Assert.Equal((300, 32, 0.0), (recipe.Samples.Every, recipe.Samples.MaxTokens, recipe.Samples.Temperature));
        Assert.Equal(["", "Zwei\n\u00e4 \U0001F600", "- x"], recipe.Samples.Prompts);
        RecipeLora lora = Recipes.Parse(Recipes.Tuning).Lora!;
        Assert.Equal((4, 8.0), (lora.Rank, lora.Alpha));
        Assert.Equal(["query", "key", "value"], lora.Modules);
    }

    [Fact]
    public void DefaultsFollowFromOtherValues()
    {
        Recipe recipe = Recipes.Parse(Recipes.Least);
        Assert.Equal(("runs/books.v1", "a.txt", "tok.json"), (recipe.Output, recipe.Data[0].Name, recipe.Tokenizer!.Path));
        Assert.Equal((0.02, 0.003, 10, 100), (recipe.Parametrization.InitStd, recipe.Optimizer.LearningRate, recipe.Schedule.WarmupSteps, recipe.Schedule.DecaySteps));
        Recipe mup = Recipes.Parse(Recipes.Least, "parametrization.form=mup");
        Assert.Equal((0.1, 0.01), (mup.Parametrization.InitStd, mup.Optimizer.LearningRate));
        Assert.Equal(0.5, Recipes.Parse(Recipes.Least, "parametrization.form=mup", "optimizer.learning_rate=0.5").Optimizer.LearningRate);
        Assert.Equal((2e-5, 2e-4), Rates("lora=null"));
        Assert.Equal((2e-4, 2e-4), Rates());
        Assert.Equal((1e-3, 2e-4), Rates("optimizer.learning_rate=0.001"));
        Assert.Equal((2e-5, 0.1), Rates("lora=null", "optimizer={name: muon, muon_learning_rate: 0.1}"));
        Assert.Equal((2000, 100_000), Warmup("steps=1M"));
        Assert.Equal((1, 0), Warmup("steps=1"));
        Assert.Equal((1, 1), Warmup("steps=2"));
        Assert.Equal((970, 30), Warmup("schedule.warmup_steps=970"));
        Assert.Equal((0, 100), Warmup("schedule.warmup_steps=0"));
        Assert.Equal((10, 0), Warmup("schedule.form=cosine"));
        // 1.5M tokens are 183.1 steps.
        Assert.Equal(184, Recipes.Parse(Recipes.Tuning).TotalSteps);
        Recipe noneHeldOut = Recipes.Parse(Recipes.Least, "held_out=0");
        Assert.Equal((0, false), (noneHeldOut.Validation.Tokens, noneHeldOut.Checkpoint.Best));
        Assert.True(recipe.Checkpoint.Best);

        static (double, double) Rates(params string[] sets) =>
            Recipes.Parse(Recipes.Tuning, sets).Optimizer is var optimizer ? (optimizer.LearningRate, optimizer.MuonLearningRate) : default;

        static (long, long) Warmup(string set) => Recipes.Parse(Recipes.Least, set).Schedule is var schedule ? (schedule.WarmupSteps, schedule.DecaySteps) : default;
    }

    [Theory]
    [InlineData(Recipes.Least)]
    [InlineData(Recipes.Whole)]
    [InlineData(Recipes.Tuning)]
    public void WhatIsWrittenReadsTheSame(string yaml)
    {
        Recipe recipe = Recipes.Parse(yaml);
        string written = recipe.ToYaml();
        Recipe again = Recipe.Parse(written, "other.yaml", []);
        Assert.Equal(written, again.ToYaml());
        AssertSame(recipe, again, "");
    }

    // A property that the writer forgot would be at its default in what is read again.
    [Fact]
    public void TheWholeRecipeIsNowhereAtItsDefault()
    {
        Recipe whole = Recipes.Parse(Recipes.Whole), least = Recipes.Parse(Recipes.Least, "anchors={kind: endpoint}", "distill={teacher: other}");
        foreach (RecipeKey key in RecipeKey.Of(typeof(Recipe)).Where(key => key.Name is not ("init_from" or "lora" or "steps")))
        {
            object? left = key.Property.GetValue(whole), right = key.Property.GetValue(least);
            if (left!.GetType().Namespace != typeof(Recipe).Namespace)
                Assert.NotEqual(left, right);
            else if (!left.GetType().IsEnum)
                Assert.All(RecipeKey.Of(left.GetType()).Where(inner => inner.Name is not ("path" or "form" or "kind")), inner => Assert.NotEqual(inner.Property.GetValue(left), inner.Property.GetValue(right)));
        }
    }

    [Fact]
    public void EveryNumberHasARange()
    {
        List<Type> records = [typeof(Recipe)];
        for (int i = 0; i < records.Count; i++)
        {
            foreach (RecipeKey key in RecipeKey.Of(records[i]))
            {
                Type type = key.Type.IsGenericType ? key.Type.GetGenericArguments()[^1] : key.Type;
                if (type == typeof(int) || type == typeof(long) || type == typeof(double) || type == typeof(StageStart))
                    Assert.True(key.Range is not null && Convert.ToDouble(key.Range.Minimum) >= 0, $"{records[i].Name}.{key.Property.Name}");
                else if (type.Namespace == typeof(Recipe).Namespace && !type.IsEnum && !records.Contains(type))
                    records.Add(type);
            }
        }

        Assert.Equal(17, records.Count);
    }

    [Fact]
    public void ModelsAreDescribed()
    {
        ModelConfig changed = Recipes.Parse(Recipes.Least, "model={base: zoo:smollm2-135m, num_hidden_layers: 3}").Model!.Describe("r.yaml", new Dictionary<string, JsonNode?> { ["vocab_size"] = 4096 });
        ModelConfig known = Model.OpenConfig("zoo:smollm2-135m");
        Assert.Equal((3, 4096, known.HiddenSize), (changed.NumHiddenLayers, changed.VocabSize, changed.HiddenSize));
        const string Own = "model={model_type: llama, hidden_size: 64, intermediate_size: 160, num_hidden_layers: 2, num_attention_heads: 4, vocab_size: 300, max_position_embeddings: 256}";
        Assert.Equal(64, Recipes.Parse(Recipes.Least, Own).Model!.Describe("r.yaml", new Dictionary<string, JsonNode?>()).HiddenSize);
        InvalidInputException refusal = Assert.Throws<InvalidInputException>(
            () => Recipes.Parse(Recipes.Least, Own, "model.hidden_sizes=3").Model!.Describe("r.yaml", new Dictionary<string, JsonNode?>()));
        Assert.Equal(("r.yaml", "model.hidden_sizes"), (refusal.Input, refusal.Field));
    }

    // What the recipe leaves open is filled in under the family's name for it, and what it states stays.
    [Theory]
    [InlineData("", 128)]
    [InlineData(", n_positions: 64", 64)]
    public void KeysAreFilledInByTheFamilysNames(string stated, int positions)
    {
        RecipeModel model = Recipes.Parse(Recipes.Least, $"model={{model_type: gpt2, n_embd: 32, n_layer: 2, n_head: 4{stated}}}").Model!;
        ModelConfig config = model.Describe("r.yaml", new Dictionary<string, JsonNode?> { ["vocab_size"] = 300, ["max_position_embeddings"] = 128 });
        Assert.Equal((positions, 300), (config.MaxPositionEmbeddings, config.VocabSize));
        Assert.False(config.Source.ContainsKey("max_position_embeddings"));
    }

    [Fact]
    public void GroupsMatchNames()
    {
        RecipeParameterGroup group = new() { Match = "layers.*.query.weight" };
        Assert.Equal([true, false, false], new[] { "layers.3.query.weight", "layers.3.query.bias", "embedding.weight" }.Select(group.Holds));
    }

    private static void AssertSame(object? left, object? right, string path)
    {
        if (left is JsonNode json)
        {
            Assert.True(JsonNode.DeepEquals(json, (JsonNode?)right), path);
        }
        else if (left is IEnumerable list and not string)
        {
            object[] ours = [.. list.Cast<object>()], theirs = [.. ((IEnumerable)right!).Cast<object>()];
            Assert.Equal(ours.Length, theirs.Length);
            for (int i = 0; i < ours.Length; i++)
                AssertSame(ours[i], theirs[i], $"{path}.{i}");
        }
        else if (left?.GetType() is { IsClass: true } type && type != typeof(string))
        {
            Assert.Equal(type, right!.GetType());
            foreach (System.Reflection.PropertyInfo property in type.GetProperties())
                AssertSame(property.GetValue(left), property.GetValue(right), $"{path}.{property.Name}");
        }
        else
        {
            Assert.True(Equals(left, right), $"{path}: {left} and {right}");
        }
    }
}
