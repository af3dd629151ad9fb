using System.Text.Json.Nodes;
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Tests.Models;

/// <summary>Conversions to and from narrow number types, on a random model wide enough for the blocks of 256.</summary>
public sealed class QuantizedConversionTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    // Root mean square of the change over that of the logits; random weights, which have no structure to be kept, move most.
    [Theory]
    [InlineData("F16", 0.002)]
    [InlineData("BF16", 0.01)]
    [InlineData("Q8_0", 0.02)]
    [InlineData("Q6_K", 0.05)]
    [InlineData("Q5_K", 0.1)]
    [InlineData("Q4_K", 0.2)]
    [InlineData("Q4_0", 0.25)]
    public void LogitsStayWithinTheTypesError(string name, double bound)
    {
        TensorType type = Enum.Parse<TensorType>(name);
        Model model = Wide();
        string file = _folder.File("model.gguf");
        ModelWriter.Write(model, file, type, note: line => Assert.Fail(line));
        Model narrow = Model.Open(file);
        Assert.Equal(type, narrow.Type);
        double error = RelativeError(Logits(model), Logits(narrow));
        Assert.InRange(error, bound / 20, bound);
    }

    [Theory]
    [InlineData("Q8_0")]
    [InlineData("Q4_0")]
    [InlineData("Q4_K")]
    [InlineData("Q6_K")]
    [InlineData("BF16")]
    public void ASecondGgufFileHasTheSameBytes(string name)
    {
        string first = _folder.File("model.gguf"), again = _folder.File("sub");
        Directory.CreateDirectory(again);
        again = Path.Combine(again, "model.gguf");
        ModelWriter.Write(Wide(), first, Enum.Parse<TensorType>(name));
        ModelWriter.Write(Model.Open(first), again);
        GgufFile a = GgufFile.Open(first), b = GgufFile.Open(again);
        Assert.Equal(a.Tensors.Keys, b.Tensors.Keys);
        foreach ((string tensor, Tensor wanted) in a.Tensors)
        {
            Assert.Equal((wanted.Type, string.Join(',', wanted.Shape)), (b.Tensors[tensor].Type, string.Join(',', b.Tensors[tensor].Shape)));
            Assert.True(wanted.Bytes().SequenceEqual(b.Tensors[tensor].Bytes()), tensor);
        }
    }

    [Fact]
    public void AFolderOfAQuantizedFileHoldsWhatItsBlocksSay()
    {
        ModelWriter.Write(Wide(), _folder.File("model.gguf"), TensorType.Q4_K);
        Model narrow = Model.Open(_folder.File("model.gguf"));
        ModelWriter.Write(narrow, _folder.File("model"));
        Model wide = Model.Open(_folder.File("model"));
        Assert.Equal(TensorType.F32, wide.Type);
        Assert.Equal(Logits(narrow), Logits(wide));
    }

    [Fact]
    public void AFolderRefusesQuantizedTypes()
    {
        InvalidInputException refusal = Assert.Throws<InvalidInputException>(() => ModelWriter.Write(Wide(), _folder.File("model"), TensorType.Q8_0));
        Assert.Contains(".gguf", refusal.Message);
        Assert.Empty(_folder.Files);
    }

    [Theory]
    [InlineData(256, "Q4_K", "Q4_K")]
    [InlineData(96, "Q4_K", "Q5_0")]
    [InlineData(96, "Q5_K", "Q5_1")]
    [InlineData(96, "Q6_K", "Q8_0")]
    [InlineData(80, "Q4_K", "F16")]
    [InlineData(80, "Q8_0", "F16")]
    [InlineData(80, "BF16", "BF16")]
    public void RowsThatFillNoBlocksFallBackAsInLlamaCpp(int columns, string wanted, string taken) =>
        Assert.Equal(Enum.Parse<TensorType>(taken), ModelWriter.Fitting(Enum.Parse<TensorType>(wanted), columns));

    [Fact]
    public void NothingIsKeptOfParametersThatWereOnlyWritten()
    {
        ModelWriter.Write(Wide(), _folder.File("model.gguf"), TensorType.F32);
        Model model = Model.Open(_folder.File("model.gguf"));
        // Llama's queries lie in another order in GGUF: each is a copy.
        WeakReference copy = Fetch(model, "layers.0.query.weight");
        GC.Collect();
        GC.WaitForPendingFinalizers();
        Assert.False(copy.IsAlive);
        Tensor kept = model.Parameter("layers.0.query.weight");
        Assert.Same(kept, model.Parameter("layers.0.query.weight"));
    }

    [System.Runtime.CompilerServices.MethodImpl(System.Runtime.CompilerServices.MethodImplOptions.NoInlining)]
    private static WeakReference Fetch(Model model, string name) => new(model.Parameter(name));

    private static Model Wide()
    {
        JsonObject json = new()
        {
            ["model_type"] = "llama",
            ["vocab_size"] = 512,
            ["hidden_size"] = 256,
            ["intermediate_size"] = 512,
            ["num_hidden_layers"] = 2,
            ["num_attention_heads"] = 4,
            ["num_key_value_heads"] = 2,
            ["max_position_embeddings"] = 64,
            ["tie_word_embeddings"] = false,
        };
        return RandomModel.Create("wide", ModelConfig.Parse(json, "wide"), seed: 7, TensorType.F32);
    }

    private static double RelativeError(float[] wanted, float[] found) =>
        Math.Sqrt(wanted.Zip(found).Sum(v => Math.Pow(v.First - v.Second, 2)) / wanted.Sum(v => (double)v * v));

    private static float[] Logits(Model model)
    {
        int[] tokens = [1, 17, 42, 5, 93, 60, 17, 8, 77, 31, 2, 64];
        Decoder decoder = new(model);
        float[] logits = new float[tokens.Length * decoder.VocabularySize];
        decoder.Forward(decoder.CreateState(tokens.Length), tokens, logits);
        return logits;
    }
}
