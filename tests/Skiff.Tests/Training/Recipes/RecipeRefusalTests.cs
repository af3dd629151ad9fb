using System.Text;
using Skiff.Fuzz;
using Skiff.Tensors;
using Skiff.Tests.Fuzzing;
using Skiff.Training;

namespace Skiff.Tests.Training.Recipes;

public sealed class RecipeRefusalTests
{
    private static InvalidInputException Refusal(string yaml, params string[] sets) => Assert.Throws<InvalidInputException>(() => Recipes.Parse(yaml, sets));

    // Lines below the least recipe, which has 7.
    [Theory]
    [InlineData("sed: 1", "sed", "line 8: is no key here; did you mean seed?")]
    [InlineData("optimizer:\n  learning_rates: 1", "optimizer.learning_rates", "line 9: is no key here; did you mean learning_rate?")]
    [InlineData("lora: {zzzzzzzz: 1}", "lora.zzzzzzzz", "line 8: is no key here; the keys are rank, alpha, modules")]
    [InlineData("<<: {seed: 1}", "<<", "line 8: is no key here")]
    [InlineData("seed: -1", "seed", "line 8: -1: must be at least 0")]
    [InlineData("seed: 1.5", "seed", "line 8: must be a whole number")]
    [InlineData("seed: 1e999", "seed", "line 8: must be a whole number")]
    [InlineData("seed: \"1\"", "seed", "line 8: must be a whole number")]
    [InlineData("seed: [1]", "seed", "line 8: must be a whole number")]
    [InlineData("seed:", "seed", "line 8: has no value")]
    [InlineData("context_length: 0", "context_length", "line 8: 0: must be at least 1 and at most 16777216")]
    [InlineData("context_length: 99999999999999999999", "context_length", "line 8: must be a whole number")]
    [InlineData("batch_size: 3G", "batch_size", "line 8: must be a whole number, such as 500, 20K, 1.5M or 2B")]
    [InlineData("batch_size: 1.5", "batch_size", "line 8: must be a whole number")]
    [InlineData("batch_size: K", "batch_size", "line 8: must be a whole number")]
    [InlineData("batch_size: -32", "batch_size", "line 8: -32: must be at least 1")]
    [InlineData("held_out: 1", "held_out", "line 8: 1: must be at least 0 and below 1")]
    [InlineData("held_out: .nan", "held_out", "line 8: must be a number")]
    [InlineData("held_out: NaN", "held_out", "line 8: NaN: must be at least 0")]
    [InlineData("held_out: much", "held_out", "line 8: must be a number")]
    [InlineData("optimizer: {learning_rate: 0}", "optimizer.learning_rate", "line 8: 0: must be above 0 and at most 1000")]
    [InlineData("optimizer: {clip: 1e999}", "optimizer.clip", "line 8: 1e999: must be at least 0")]
    [InlineData("optimizer: {clip: -1}", "optimizer.clip", "line 8: -1: must be at least 0")]
    [InlineData("optimizer: 3", "optimizer", "line 8: must be a mapping of keys")]
    [InlineData("optimizer:", "optimizer", "line 8: has no value")]
    [InlineData("optimizer: {name: sgd}", "optimizer.name", "line 8: must be one of adamw, muon")]
    [InlineData("optimizer: {name: 1}", "optimizer.name", "line 8: must be one of adamw, muon")]
    [InlineData("optimizer: {groups: {match: x}}", "optimizer.groups", "line 8: must be a list")]
    [InlineData("optimizer: {groups: [{weight_decay: 0}]}", "optimizer.groups.0", "line 8: match is missing")]
    [InlineData("optimizer: {groups: [{match: ''}]}", "optimizer.groups.0.match", "line 8: is empty")]
    [InlineData("recompute: yes", "recompute", "line 8: must be true or false")]
    [InlineData("output: {a: b}", "output", "line 8: must be a text")]
    [InlineData("samples: {prompts: {a: b}}", "samples.prompts", "line 8: must be a text or a list of texts")]
    [InlineData("samples: {prompts: [[a]]}", "samples.prompts.0", "line 8: must be a text")]
    [InlineData("schedule: {decay: fast}", "schedule.decay", "line 8: must be one of exponential, linear, cosine, one_minus_sqrt")]
    [InlineData("schedule: {warmup_steps: 2000}", "schedule.warmup_steps", "line 8: 2000 are more than the 1000 of all")]
    [InlineData("schedule:\n  warmup_steps: 900\n  decay_steps: 200", "schedule.decay_steps", "line 10: 200: 1000 steps with 900 of warm-up leave 0 to 100")]
    [InlineData("schedule: {form: cosine, decay_steps: 9}", "schedule.decay_steps", "line 8: Cosine has no decay of its own: only wsd has")]
    [InlineData("schedule: {form: constant, floor: 0.1}", "schedule.floor", "line 8: a constant rate has none")]
    [InlineData("validation: {tokens: -5K}", "validation.tokens", "line 8: -5K: must be at least 0")]
    [InlineData("held_out: 0\nvalidation: {tokens: 5}", "validation.tokens", "line 9: held_out is 0")]
    [InlineData("validation: {tokens: 0}\ncheckpoint: {best: true}", "checkpoint.best", "line 9: without validation")]
    [InlineData("tokens: 5", "steps", "line 7: contradicts tokens")]
    [InlineData("init_from: x", "init_from", "line 8: contradicts model")]
    [InlineData("lora: {}", "lora", "line 8: leaves the weights as they are")]
    [InlineData("micro_batch_size: 3", "micro_batch_size", "line 8: 3 does not divide batch_size 32")]
    [InlineData("stages: [{from: 1M}]", "stages.0", "line 8: changes nothing")]
    [InlineData("stages: [{context_length: 128}]", "stages.0", "line 8: from is missing")]
    [InlineData("stages: [{from: end, rope_theta: 1}]", "stages.0.from", "line 8: must be a whole number")]
    [InlineData("stages: [{from: 0, rope_theta: 1}]", "stages.0.from", "line 8: 0: must be at least 1")]
    [InlineData("stages: [{from: 1M, context_length: 300}]", "stages.0.context_length", "line 8: a step's 8192 tokens, 32 times 256, are no whole number of sequences of 300")]
    [InlineData("micro_batch_size: 1\nstages: [{from: 1M, context_length: 512}]", "stages.0.context_length", "line 9: the 256 tokens of micro_batch_size")]
    [InlineData("stages: [{from: 1M, mixture: {b: 1}}]", "stages.0.mixture", "line 8: 'b' is no corpus; data has a.txt")]
    [InlineData("stages: [{from: 1M, mixture: {a.txt: 0}}]", "stages.0.mixture", "line 8: gives no corpus a share")]
    [InlineData("stages: [{from: 1M, mixture: {a.txt: -1}}]", "stages.0.mixture.a.txt", "line 8: -1: must be at least 0")]
    [InlineData("stages: [{from: 1M, mixture: 3}]", "stages.0.mixture", "line 8: must be a mapping of names to numbers")]
    [InlineData("stages: [{from: 10M, rope_theta: 1}]", "stages.0.from", "line 8: 10000000 is step 1221, and the run ends with step 1000")]
    [InlineData("stages:\n- {from: 1000001, rope_theta: 1}\n- {from: 1000002, rope_theta: 2}", "stages.1.from", "line 10: 1000002 is step 123, which does not lie behind step 123")]
    [InlineData("stages:\n- {from: decay, rope_theta: 1}\n- {from: 2M, rope_theta: 2}", "stages.1.from", "line 10: 2000000 is step 245")]
    [InlineData("stages: [{from: decay, rope_theta: 1}]\nschedule: {form: cosine}", "stages.0.from", "line 8: the schedule's form cosine has no decay")]
    [InlineData("stages: [{from: decay, rope_theta: 1}]\nschedule: {decay_steps: 0}", "stages.0.from", "line 8: decay is step 1000, and the run ends")]
    [InlineData("steps: 5", "recipe", "line 8: 'steps' stands here twice")]
    [InlineData("seed: &a 1", "seed", "line 8: anchors and aliases are not read")]
    [InlineData("seed: *a", "seed", "line 8: anchors and aliases are not read")]
    [InlineData("seed: !!int 1", "seed", "line 8: the tag")]
    [InlineData("[a]: 1", "recipe", "line 8: a key must be a text")]
    [InlineData("output: \"a\\0b\"", "output", "line 8: holds what is no character")]
    [InlineData("---\nseed: 1", "recipe", "line 8: a second document begins here")]
    [InlineData("seed: [1", "yaml", "line 9: not valid YAML: ")]
    [InlineData("\tseed: 1", "yaml", "line 7: not valid YAML: ")]
    public void WhatStandsThereIsRefused(string more, string field, string problem)
    {
        InvalidInputException refusal = Refusal(Recipes.Least + "\n" + more);
        Assert.Equal(("recipes/books.v1.yaml", field), (refusal.Input, refusal.Field));
        Assert.StartsWith(problem, refusal.Problem);
    }

    [Theory]
    [InlineData("steps=null", "tokens", "is missing")]
    [InlineData("model=null", "model", "--set: is missing: name model")]
    [InlineData("model={hidden_size: 5}", "model.model_type", "--set: is missing")]
    [InlineData("model=5", "model", "--set: must be a mapping of keys")]
    [InlineData("model.rope_scaling={a: [1, 1e999]}", "model.rope_scaling.a.1", "--set: 1e999 is no number that JSON has")]
    [InlineData("tokenizer=null", "tokenizer", "--set: is missing: name a file")]
    [InlineData("tokenizer={}", "tokenizer", "--set: must have either")]
    [InlineData("tokenizer={path: a, vocab_size: 4096}", "tokenizer", "--set: must have either")]
    [InlineData("tokenizer={vocab_size: 256}", "tokenizer.vocab_size", "--set: 256: must be at least 257")]
    [InlineData("tokenizer=[a]", "tokenizer", "--set: must be a mapping of keys")]
    [InlineData("data=[]", "data", "--set: is missing: name at least one corpus")]
    [InlineData("data={files: x}", "data", "--set: must be a list")]
    [InlineData("data.0.files=[]", "data.0.files", "--set: names no file")]
    [InlineData("data.0.files=['']", "data.0.files", "--set: one of the names is empty")]
    [InlineData("data.0={name: x}", "data.0", "--set: files is missing")]
    [InlineData("data.0.files=/", "data.0.name", "is missing: its file has no name")]
    [InlineData("data.1={files: b/a.txt}", "data.1.name", "'a.txt' is the name of another corpus too")]
    [InlineData("data.1={files: b, weight: 2}", "data.1.weight", "--set: some corpora have a weight")]
    [InlineData("data.0.weight=0", "data", "every weight is 0")]
    [InlineData("data.0.weight=-1", "data.0.weight", "--set: -1: must be at least 0")]
    [InlineData("data.0.weights=1", "data.0.weights", "--set: is no key here; did you mean weight?")]
    [InlineData("data.2.files=a", "data.2.files", "--set: '2' is none of the list's places, 0 to 1")]
    [InlineData("data.x.files=a", "data.x.files", "--set: 'x' is none of the list's places")]
    [InlineData("steps.x=1", "steps.x", "--set: steps holds a value, no keys")]
    [InlineData("optimizer.learnin_rate=1", "optimizer.learnin_rate", "--set: is no key here; did you mean learning_rate?")]
    [InlineData("seed", "--set", "'seed' is not of the form key=value")]
    [InlineData("=1", "--set", "'=1' is not of the form key=value")]
    [InlineData("a..b=1", "--set", "'a..b=1' is not of the form key=value")]
    [InlineData("seed=[1", "seed", "--set: not valid YAML: ")]
    [InlineData("seed=*a", "seed", "--set: anchors and aliases")]
    [InlineData("steps=1e12", "steps", null)]
    public void WhatIsSetIsRefused(string set, string field, string? problem)
    {
        if (problem is null)
        {
            Refusal(Recipes.Least, set, "batch_size=1M", "context_length=1M");
            return;
        }

        InvalidInputException refusal = Refusal(Recipes.Least, set);
        Assert.Equal(("recipes/books.v1.yaml", field), (refusal.Input, refusal.Field));
        Assert.Contains(problem, refusal.Problem);
    }

    [Fact]
    public void WhatContradictsAContinuedModelIsRefused()
    {
        Assert.Equal("tokenizer.vocab_size", Refusal(Recipes.Tuning, "tokenizer.vocab_size=4096").Field);
        Assert.Equal("lora.modules", Refusal(Recipes.Tuning, "lora.modules=[]").Field);
        Assert.Equal("own.json", Recipes.Parse(Recipes.Tuning, "tokenizer=own.json").Tokenizer!.Path);
    }

    [Fact]
    public void WhatIsNoRecipeFileIsRefused()
    {
        using TemporaryFolder folder = new();
        string path = folder.File("r.yaml");
        Assert.Equal("not found", Assert.Throws<InvalidInputException>(() => Recipe.Read(path, [])).Problem);
        Assert.Equal((folder.Path, "file"), Assert.Throws<InvalidInputException>(() => Recipe.Read(folder.Path, [])) is var e ? (e.Input, e.Field) : default);
        File.WriteAllText(path, Recipes.Least, new UTF8Encoding(encoderShouldEmitUTF8Identifier: true));
        Assert.Equal("runs/r", Recipe.Read(path, []).Output);
        File.WriteAllBytes(path, [.. "seed: "u8, 0xFF]);
        Assert.Equal("is no UTF-8 text at byte 6", Assert.Throws<InvalidInputException>(() => Recipe.Read(path, [])).Problem);
        File.WriteAllText(path, new string('#', RecipeYaml.MostBytes + 1));
        Assert.Equal("is over 1 MiB; no recipe is", Assert.Throws<InvalidInputException>(() => Recipe.Read(path, [])).Problem);
        Assert.Equal("is over 1 MiB; no recipe is", Refusal(new string(' ', RecipeYaml.MostBytes + 1)).Problem);
        Assert.Equal("model", Refusal("").Field);
        Assert.Equal("model", Refusal("# nothing\n").Field);
        Assert.Equal("recipe", Refusal("- a").Field);
        Assert.Equal("recipe", Refusal("text").Field);
    }

    // As large as is read at all, each of one thing.
    [Theory]
    [InlineData("[")]
    [InlineData("{")]
    [InlineData("- ")]
    [InlineData("? ")]
    [InlineData("a: ")]
    [InlineData("{a: ")]
    [InlineData("-\n ")]
    [InlineData("\"")]
    [InlineData("'a")]
    [InlineData("|\n ")]
    [InlineData("#")]
    [InlineData("&a ")]
    [InlineData("!a ")]
    [InlineData("%a\n")]
    [InlineData("---\n")]
    [InlineData("x")]
    [InlineData("x ")]
    [InlineData("a\n")]
    [InlineData("seed: 1\n")]
    [InlineData("-\n")]
    public void LargeOnesEndInARefusal(string piece)
    {
        byte[] input = Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat(piece, RecipeYaml.MostBytes / piece.Length)));
        Assert.Throws<InvalidInputException>(() => FuzzTargets.All["recipe"](input));
    }

    [Fact]
    public void MutatedRecipesNeverCrash() =>
        Mutation.Check([Encoding.UTF8.GetBytes(Recipes.Least), Encoding.UTF8.GetBytes(Recipes.Whole), Encoding.UTF8.GetBytes(Recipes.Tuning)], FuzzTargets.All["recipe"]);

    // Whatever is accepted must be written so that it is read the same.
    [Fact]
    public void StrangeTextsAreWrittenAsTheyWereRead()
    {
        string[] texts = ["true", "null", "~", "1", "1e5", "-", "- a", "a: b", "#", "'", "\"", "\n", " a ", "a\n\nb", "\t", "\u2028", "NaN", "infinity", "0x1F", "1_000", "\uFEFF", "\u0085", "\u0007", "[", "*a", "&a", "!t", "%", "@", "`", "é", "\U0001F600"];
        foreach (string text in texts)
        {
            Recipe recipe = Recipes.Parse(Recipes.Least) with { Samples = new() { Prompts = [text, text + text] }, Data = [new() { Name = text, Files = [text] }], Stages = [new() { From = new(1_000_000), Mixture = new Dictionary<string, double> { [text] = 1 } }] };
            recipe.Model!.Keys[text] = text;
            Recipe again = Recipes.Parse(recipe.ToYaml());
            Assert.Equal(recipe.Samples.Prompts, again.Samples.Prompts);
            Assert.Equal((text, text), (again.Data[0].Name, Assert.Single(again.Data[0].Files)));
            Assert.Equal(recipe.Stages[0].Mixture, again.Stages[0].Mixture);
            Assert.Equal(recipe.Model.Keys.ToJsonString(), again.Model!.Keys.ToJsonString());
        }
    }
}
