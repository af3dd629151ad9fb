using System.Text;
using System.Text.Json.Nodes;
using Skiff.Fuzz;
using Skiff.Models;
using Skiff.Tensors;
using Skiff.Tests.Fuzzing;
using Skiff.Tests.Training;
using Skiff.Training;

namespace Skiff.Tests.Models.Adapters;

public sealed class LoraAdapterTests : IDisposable
{
    private const string LlamaQuery = "base_model.model.model.layers.0.self_attn.q_proj.lora_";

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    // Plain, transposed, fused one after the other and head by head, experts, latent attention, recurrence, shared blocks.
    [Theory]
    [InlineData("llama", "query,value")]
    [InlineData("gpt2", "query,value,down")]
    [InlineData("phi3", "query,value,gate,output")]
    [InlineData("mixtral", "key,router,experts.gate,experts.down")]
    [InlineData("minicpm3", "query_a,query_b,key_value_a,key_value_b,output")]
    [InlineData("recurrent_gemma", "query,recurrent_x,recurrent_out,up")]
    [InlineData("gpt_neox", "key,up")]
    [InlineData("bloom_6heads", "query,key,value,output")]
    [InlineData("openelm", "value,up")]
    [InlineData("mobilellm_layer_sharing", "query,gate")]
    public void WhatIsWrittenMergesToTheTrainedModel(string name, string modules)
    {
        (TapeModel model, LoraSettings lora) = Write(name, modules);
        LoraMerge wanted = new(model.Parameters, lora);
        Model merged = LoraAdapter.Merge(model.Model, _folder.Path);
        int changed = 0;
        foreach (Parameter parameter in ParameterList.Of(model.Config))
        {
            float[] a = Floats(wanted.Parameter(parameter.Name)), b = Floats(merged.Parameter(parameter.Name)), before = Floats(model.Model.Parameter(parameter.Name));
            Assert.True(a.Zip(b).All(pair => Math.Abs(pair.First - pair.Second) < 1e-6), parameter.Name);
            changed += a.SequenceEqual(before) ? 0 : 1;
        }

        Assert.Equal(model.Parameters.All.Count(p => p.Parameter.Kind == LoraSettings.Down), changed);
    }

    // What PEFT does with the files, and it knows nothing of Skiff's parameters: a stored matrix plus scale B A, transposed for Conv1D.
    [Theory]
    [InlineData("llama", "query,value", 2, 12, false, "self_attn.q_proj,self_attn.v_proj")]
    [InlineData("gpt2", "query,value,down", 4, 24, true, "attn.c_attn,mlp.c_proj")]
    [InlineData("phi3", "query,key,value,gate", 6, 36, false, "self_attn.qkv_proj,mlp.gate_up_proj")]
    [InlineData("bloom_6heads", "key,output", 2, 12, false, "self_attention.query_key_value,self_attention.dense")]
    [InlineData("mixtral", "experts.up", 2, 12, false, "block_sparse_moe.experts.0.w3,block_sparse_moe.experts.1.w3,block_sparse_moe.experts.2.w3,block_sparse_moe.experts.3.w3")]
    public void TheFormIsPefts(string name, string modules, int rank, double alpha, bool transposed, string targets)
    {
        (TapeModel model, _) = Write(name, modules);
        JsonObject json = JsonNode.Parse(File.ReadAllText(_folder.File("adapter_config.json")))!.AsObject();
        Assert.Equal(("LORA", "CAUSAL_LM", "none", "the/base"), ((string)json["peft_type"]!, (string)json["task_type"]!, (string)json["bias"]!, (string)json["base_model_name_or_path"]!));
        Assert.Equal((rank, alpha, transposed), ((int)json["r"]!, (double)json["lora_alpha"]!, (bool)json["fan_in_fan_out"]!));
        Assert.Equal(targets.Split(',').Order(), json["target_modules"]!.AsArray().Select(target => (string)target!).Order());

        IReadOnlyDictionary<string, Tensor> halves = SafetensorsFile.Open(_folder.File("adapter_model.safetensors")).Tensors;
        ModelWriter.Write(model.Model, _folder.File("base"));
        ModelWriter.Write(LoraAdapter.Merge(model.Model, _folder.Path), _folder.File("merged"));
        IReadOnlyDictionary<string, Tensor> before = SafetensorsFile.Open(_folder.File("base")).Tensors, after = SafetensorsFile.Open(_folder.File("merged")).Tensors;
        int seen = 0;
        foreach ((string tensor, Tensor weight) in before)
        {
            string half = $"base_model.model.{tensor[..^".weight".Length]}";
            float[] expected = Floats(weight), found = Floats(after[tensor]);
            if (tensor.EndsWith(".weight", StringComparison.Ordinal) && halves.TryGetValue(half + ".lora_A.weight", out Tensor? down))
            {
                seen += 2;
                float[] a = Floats(down), b = Floats(halves[half + ".lora_B.weight"]);
                long inputs = down.Shape[1], outputs = b.Length / rank;
                Assert.Equal(transposed ? [inputs, outputs] : [outputs, inputs], weight.Shape);
                for (long o = 0; o < outputs; o++)
                {
                    for (long i = 0; i < inputs; i++)
                    {
                        double product = Enumerable.Range(0, rank).Sum(r => (double)b[o * rank + r] * a[r * inputs + i]);
                        expected[transposed ? i * outputs + o : o * inputs + i] += (float)(alpha / rank * product);
                    }
                }
            }

            Assert.True(expected.Zip(found).All(pair => Math.Abs(pair.First - pair.Second) < 1e-6), tensor);
        }

        Assert.Equal(halves.Count, seen);
    }

    [Theory]
    [InlineData("\"use_rslora\": true", 12 / 1.4142135623730951)]
    [InlineData("\"alpha_pattern\": {\"q_proj\": 3}", 1.5)]
    [InlineData("\"alpha_pattern\": {\"k_proj\": 1, \"layers.0.self_attn.q_proj\": 3, \"q_proj\": 5}", 1.5)]
    [InlineData("\"alpha_pattern\": {\"proj\": 3}", 6)]
    [InlineData("\"init_lora_weights\": \"gaussian\", \"lora_dropout\": 0.1, \"target_modules\": \"all-linear\", \"loftq_config\": {}, \"use_dora\": false", 6)]
    public void ForeignSettingsScaleTheProduct(string more, double scale)
    {
        (TapeModel model, _) = Write("llama", "query");
        Configure($"\"r\": 2, \"lora_alpha\": 12, {more}");
        float[] a = model.Parameters["layers.0.query.lora_a"].Value.Floats().ToArray(), b = model.Parameters["layers.0.query.lora_b"].Value.Floats().ToArray();
        float before = Floats(model.Model.Parameter("layers.0.query.weight"))[0], after = Floats(LoraAdapter.Merge(model.Model, _folder.Path).Parameter("layers.0.query.weight"))[0];
        Assert.Equal(before + scale * (b[0] * a[0] + b[1] * a[model.Config.HiddenSize]), after, 1e-6);
    }

    [Fact]
    public void RanksMayDifferAndNumbersBeHalves()
    {
        TapeModel model = new("llama", 1);
        int width = model.Config.HiddenSize;
        float[] ones = [.. Enumerable.Repeat(0.5f, 3 * width)];
        Save(TensorType.BF16, ("A.weight", Tensor.FromFloats(ones, 3, width)), ("B.weight", Tensor.FromFloats(ones, width, 3)));
        Configure("\"r\": 2, \"lora_alpha\": 12, \"rank_pattern\": {\"q_proj\": 3}");
        float before = Floats(model.Model.Parameter("layers.0.query.weight"))[5], after = Floats(LoraAdapter.Merge(model.Model, _folder.Path).Parameter("layers.0.query.weight"))[5];
        Assert.Equal(before + 12.0 / 3 * 0.75, after, 1e-5);
    }

    [Theory]
    [InlineData("\"lora_alpha\": 12", "r", "is missing")]
    [InlineData("\"r\": 2", "lora_alpha", "is missing")]
    [InlineData("\"r\": 0, \"lora_alpha\": 12", "r", "0 must be a whole number from 1")]
    [InlineData("\"r\": 2, \"lora_alpha\": 0", "lora_alpha", "0 must be above 0")]
    [InlineData("\"r\": 3, \"lora_alpha\": 12", null, "the rank of 3 and the model make it [3, 32]")]
    [InlineData("\"peft_type\": \"LOHA\", \"r\": 2, \"lora_alpha\": 12", "peft_type", "'LOHA' is not supported, only LORA")]
    [InlineData("\"r\": 2, \"lora_alpha\": 12, \"bias\": \"all\"", "bias", "'all' trains biases")]
    [InlineData("\"r\": 2, \"lora_alpha\": 12, \"use_dora\": true", "use_dora", "DoRA")]
    [InlineData("\"r\": 2, \"lora_alpha\": 12, \"modules_to_save\": [\"lm_head\"]", "modules_to_save", "trained whole")]
    [InlineData("\"r\": 2, \"lora_alpha\": 12, \"init_lora_weights\": \"pissa\"", "init_lora_weights", "'pissa' changes the base")]
    [InlineData("\"r\": 2, \"lora_alpha\": 12, \"alpha_pattern\": {\"layers.[01].q_proj\": 3}", "alpha_pattern.layers.[01].q_proj", "is a regular expression")]
    [InlineData("\"r\": 2, \"lora_alpha\": 12, \"rank_pattern\": 3", "rank_pattern", "must be an object")]
    [InlineData("\"r\": 2, \"lora_alpha\": 12, \"rank_pattern\": {\"q_proj\": 2.5}", null, "the rank of 2.5")]
    [InlineData("\"r\": 2, \"lora_alpha\": 12, \"use_moonbeams\": 1", "use_moonbeams", "is not a key Skiff knows")]
    public void SettingsThatCannotBeHonouredAreRefused(string settings, string? field, string problem)
    {
        TapeModel model = Write("llama", "query").Model;
        Configure(settings);
        InvalidInputException refusal = Assert.Throws<InvalidInputException>(() => LoraAdapter.Merge(model.Model, _folder.Path));
        Assert.Equal(_folder.File(field is null ? "adapter_model.safetensors" : "adapter_config.json"), refusal.Input);
        Assert.Contains(problem, refusal.Problem);
        if (field is not null)
            Assert.Equal(field, refusal.Field);
    }

    [Theory]
    [InlineData("base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight", "its other half")]
    [InlineData("base_model.model.model.layers.9.self_attn.q_proj.lora_A.weight", "the model has no linear module 'model.layers.9.self_attn.q_proj'")]
    [InlineData("base_model.model.model.layers.0.attn.q.lora_B.weight", "the model has no linear module 'model.layers.0.attn.q'")]
    [InlineData("base_model.model.model.embed_tokens.lora_A.weight", "the model has no linear module")]
    [InlineData("base_model.model.model.layers.0.input_layernorm.lora_A.weight", "the model has no linear module")]
    [InlineData("base_model.model.model.embed_tokens.lora_embedding_A", "is no lora_A or lora_B of a linear module")]
    [InlineData("base_model.model.model.embed_tokens.weight", "is no lora_A or lora_B of a linear module")]
    [InlineData("model.layers.0.self_attn.q_proj.lora_A.weight", "does not begin with base_model.model.")]
    [InlineData("base_model.model.lora_A.weight", "does not begin with base_model.model.")]
    public void TensorsThatHaveNoPlaceAreRefused(string name, string problem)
    {
        TapeModel model = new("llama", 1);
        SafetensorsWriter.Write(_folder.File("adapter_model.safetensors"), [TensorEntry.Of(name, Tensor.Allocate(TensorType.F32, 2, 32))]);
        Configure("\"r\": 2, \"lora_alpha\": 12");
        InvalidInputException refusal = Assert.Throws<InvalidInputException>(() => LoraAdapter.Merge(model.Model, _folder.Path));
        Assert.Equal((_folder.File("adapter_model.safetensors"), name), (refusal.Input, refusal.Field));
        Assert.Contains(problem, refusal.Problem);
    }

    [Fact]
    public void WhatIsNoAdapterIsRefused()
    {
        TapeModel model = new("llama", 1);
        Assert.Equal("adapter_config.json", Refusal().Field);
        Configure("\"r\": 2, \"lora_alpha\": 12");
        Assert.Equal("adapter_model.safetensors", Refusal().Field);
        SafetensorsWriter.Write(_folder.File("adapter_model.safetensors"), []);
        Assert.Contains("empty", Refusal().Problem);
        Save(TensorType.F32, ("A.weight", Tensor.Allocate(TensorType.F32, 2, 31)), ("B.weight", Tensor.Allocate(TensorType.F32, 32, 2)));
        Assert.Contains("[2, 31]", Refusal().Problem);
        Save(TensorType.F32, ("A.weight", Tensor.Allocate(TensorType.F32, 2, 32)), ("B.weight", Tensor.Allocate(TensorType.F32, 64)));
        Assert.Contains("[64]", Refusal().Problem);
        Save(TensorType.I8, ("A.weight", Tensor.Allocate(TensorType.I8, 2, 32)), ("B.weight", Tensor.Allocate(TensorType.I8, 32, 2)));
        Assert.Contains("i8", Refusal().Problem);
        File.WriteAllText(_folder.File("adapter_config.json"), new string(' ', (1 << 20) + 1));
        Assert.Contains("1 MiB", Refusal().Problem);

        InvalidInputException Refusal() => Assert.Throws<InvalidInputException>(() => LoraAdapter.Merge(model.Model, _folder.Path));
    }

    [Fact]
    public void ATiedHeadCannotBeMerged()
    {
        TapeModel model = new("llama_tied_mha", 1);
        SafetensorsWriter.Write(_folder.File("adapter_model.safetensors"), [TensorEntry.Of("base_model.model.lm_head.lora_A.weight", Tensor.Allocate(TensorType.F32, 2, 32))]);
        Configure("\"r\": 2, \"lora_alpha\": 12");
        Assert.Contains("embedding table", Assert.Throws<InvalidInputException>(() => LoraAdapter.Merge(model.Model, _folder.Path)).Problem);
    }

    [Fact]
    public void MutatedSettingsNeverCrash()
    {
        string[] seeds =
        [
            """{"peft_type": "LORA", "r": 8, "lora_alpha": 16, "bias": "none", "target_modules": ["q_proj"], "use_rslora": true, "init_lora_weights": "gaussian", "rank_pattern": {"q_proj": 4}}""",
            """{"peft_type": "LORA", "r": 8, "lora_alpha": 16.5, "modules_to_save": null, "layers_pattern": "", "loftq_config": {}, "alpha_pattern": {"a.b": 1, "q_proj": 2}}""",
        ];
        Mutation.Check([.. seeds.Select(Encoding.UTF8.GetBytes)], FuzzTargets.All["adapter_config.json"]);
    }

    // Rank 2, alpha 12, random A and B.
    private (TapeModel Model, LoraSettings Lora) Write(string name, string modules)
    {
        LoraSettings lora = new(2, 12, modules.Split(','));
        TapeModel model = new(name, 1, lora: lora);
        foreach (TrainingParameter own in model.Parameters.All.Where(p => p.Gradient is not null))
            RandomModel.Fill(own.Parameter, own.Value, 1, 0.3f);
        LoraAdapterWriter.Write(_folder.Path, model.Config, "the/base", lora.Rank, lora.Alpha, new LoraMerge(model.Parameters, lora).Adapter);
        return (model, lora);
    }

    private void Configure(string settings) =>
        File.WriteAllText(_folder.File("adapter_config.json"), settings.Contains("peft_type") ? $"{{{settings}}}" : $"{{\"peft_type\": \"LORA\", {settings}}}");

    private void Save(TensorType type, params (string End, Tensor Tensor)[] halves) =>
        SafetensorsWriter.Write(_folder.File("adapter_model.safetensors"), halves.Select(half => TensorEntry.Of(LlamaQuery + half.End, half.Tensor, type)));

    private static float[] Floats(Tensor tensor) => (tensor.Type == TensorType.F32 ? tensor : tensor.ConvertTo(TensorType.F32)).Floats().ToArray();
}
