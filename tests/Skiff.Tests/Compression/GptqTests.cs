using Skiff.Compression;
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Tests.Compression;

public sealed class GptqTests
{
    public static TheoryData<TensorType> Types => [TensorType.Q8_0, TensorType.Q4_0, TensorType.Q4_1, TensorType.Q5_0, TensorType.Q5_1, TensorType.Q4_K, TensorType.Q5_K, TensorType.Q6_K];

    // A block's codes, read off its values and put back, are its bytes.
    [Theory]
    [MemberData(nameof(Types))]
    public void AGridReadsAndWritesEveryCode(TensorType type)
    {
        Random random = new(1);
        int length = type.BlockLength(), group = BlockGrid.GroupLength(type);
        for (int round = 0; round < 50; round++)
        {
            float[] values = [.. Enumerable.Range(0, length).Select(_ => random.NextSingle() - 0.4f)], decoded = new float[length], scales = new float[16], offsets = new float[16];
            byte[] block = new byte[type.BlockBytes()], codes = new byte[length];
            NumberFormats.Encode(type, values, block);
            NumberFormats.Decode(type, block, decoded);
            BlockGrid.Read(type, block, scales, offsets);
            for (int i = 0; i < length; i++)
            {
                float code = (decoded[i] - offsets[i / group]) / scales[i / group];
                Assert.InRange(code, -0.01f, BlockGrid.Most(type) + 0.01f);
                codes[i] = (byte)MathF.Round(code);
            }

            byte[] written = [.. block];
            BlockGrid.Write(type, written, codes);
            Assert.Equal(block, written);
        }
    }

    [Fact]
    public void TheFactorIsThatOfTheDampedInverse()
    {
        const int K = 23;
        Tensor hessian = Correlated(K, 40, seed: 3);
        double[][] factor = InverseFactor.Of(hessian);
        double mean = Enumerable.Range(0, K).Average(i => (double)hessian.Floats()[(i * K) + i]);
        // U^T U (H + damping) is the identity.
        for (int a = 0; a < K; a++)
        {
            for (int b = 0; b < K; b++)
            {
                double sum = 0;
                for (int c = 0; c < K; c++)
                {
                    double inverse = Enumerable.Range(0, Math.Min(a, c) + 1).Sum(r => factor[r][a - r] * factor[r][c - r]);
                    sum += inverse * (hessian.Floats()[(c * K) + b] + (c == b ? InverseFactor.Damping * mean : 0));
                }

                Assert.Equal(a == b ? 1 : 0, sum, 1e-6);
            }
        }
    }

    // Over inputs that go together, the outputs are nearer than by rounding each weight to its nearest.
    [Theory]
    [MemberData(nameof(Types))]
    public void OutputsStayNearer(TensorType type)
    {
        const int N = 24, K = 512;
        Tensor hessian = Correlated(K, 1024, seed: 5), weight = Tensor.Allocate(TensorType.F32, N, K);
        Random random = new(7);
        foreach (ref float value in weight.Floats())
            value = random.NextSingle() - 0.5f;
        double nearest = Error(weight, weight.ConvertTo(type), hessian), better = Error(weight, Gptq.Quantize(weight, InverseFactor.Of(hessian), type), hessian);
        Assert.True(better < 0.7 * nearest, $"{type}: {better} against {nearest}");
    }

    [Fact]
    public void AModelBecomesAFileThatRuns()
    {
        using TemporaryFolder folder = new();
        string source = folder.File("base"), text = folder.File("text.txt"), file = folder.File("small.gguf");
        EndToEnd.CommandLine.Output("convert", EndToEnd.Stories260k.Checkpoint, source, "--tokenizer", EndToEnd.Stories260k.Tokenizer);
        File.WriteAllText(text, string.Concat(Enumerable.Repeat("Once upon a time there was a little girl who liked to play in the park with her dog. ", 120)));
        EndToEnd.CommandLine.Output("quantize", source, file, "--type", "q4_0", "--gptq", text);
        Model small = Model.Open(file);
        Assert.Equal(TensorType.Q4_0, small.TypeOf("layers.0.query.weight"));

        // Its own type for each matrix, within a size.
        string mixed = folder.File("mixed.gguf");
        EndToEnd.CommandLine.Output("quantize", source, mixed, "--type", "q4_0", "--gptq", text, "--size", "240K");
        Model fitted = Model.Open(mixed);
        Parameter[] matrices = [.. ParameterList.Of(fitted.Config).Where(parameter => parameter.IsMatrix)];
        Assert.InRange(matrices.Sum(parameter => fitted.TypeOf(parameter.Name).ByteLength(parameter.Count)), 225 << 10, 240 << 10);
        Assert.True(matrices.Select(parameter => fitted.TypeOf(parameter.Name)).Distinct().Count() > 1);
        (int code, _, string error) = EndToEnd.CommandLine.Run("quantize", source, folder.File("none.gguf"), "--type", "q4_0", "--gptq", text, "--size", "20K");
        Assert.Equal((1, true), (code, error.Contains("the smallest types take", StringComparison.Ordinal)));

        Assert.NotEmpty(EndToEnd.CommandLine.Output("generate", file, "--prompt", "Once", "--max-tokens", "8", "--temperature", "0", "--raw"));
    }

    [Fact]
    public void ADivergenceIsItsFormula()
    {
        Model model = Skiff.Tests.Models.GoldenModel.Read("llama").Open(), other = model.With(name =>
        {
            Tensor tensor = Tensor.FromFloats(model.Parameter(name).Floats(), [.. model.Parameter(name).Shape]);
            tensor.Floats()[0] += 0.5f;
            return tensor;
        });
        Memory<int>[] samples = [Enumerable.Range(0, 17).Select(i => i % 11).ToArray(), Enumerable.Range(0, 9).ToArray()];
        Assert.Equal(0, ModelDivergence.Measure(model, model, samples, TestContext.Current.CancellationToken).Kl, 1e-7);
        ModelDivergence measured = ModelDivergence.Measure(model, other, samples, TestContext.Current.CancellationToken);
        double kl = 0, loss = 0;
        int count = 0;
        foreach (Memory<int> sample in samples)
        {
            double[][] p = Probabilities(model, sample), q = Probabilities(other, sample);
            for (int i = 0; i + 1 < sample.Length; i++)
            {
                kl += p[i].Zip(q[i], (a, b) => a * Math.Log(a / b)).Sum();
                loss -= Math.Log(q[i][sample.Span[i + 1]]);
                count++;
            }
        }

        Assert.Equal(kl / count, measured.Kl, 1e-5);
        Assert.Equal(loss / count, measured.Loss, 1e-5);

        static double[][] Probabilities(Model of, Memory<int> sample)
        {
            Decoder decoder = new(of);
            DecoderState state = decoder.CreateState();
            float[] logits = new float[of.Config.VocabSize];
            return [.. sample.ToArray().Select(id =>
            {
                decoder.Forward(state, [id], logits);
                double[] e = [.. logits.Select(value => Math.Exp(value))];
                return e.Select(value => value / e.Sum()).ToArray();
            })];
        }
    }

    private static double Error(Tensor weight, Tensor rounded, Tensor hessian)
    {
        int k = weight.Columns;
        float[] row = new float[k], other = new float[k];
        double error = 0;
        for (int r = 0; r < weight.Rows; r++)
        {
            weight.ReadRow(r, row);
            rounded.ReadRow(r, other);
            double[] e = [.. row.Zip(other, (a, b) => (double)a - b)];
            for (int i = 0; i < k; i++)
            {
                for (int j = 0; j < k; j++)
                    error += e[i] * hessian.Floats()[(i * k) + j] * e[j];
            }
        }

        return error;
    }

    // X^T X of inputs that share a few causes.
    private static Tensor Correlated(int k, int rows, int seed)
    {
        Random random = new(seed);
        int causes = Math.Max(2, k / 8);
        float[,] mix = new float[causes, k];
        for (int c = 0; c < causes; c++)
        {
            for (int i = 0; i < k; i++)
                mix[c, i] = random.NextSingle() - 0.5f;
        }

        Tensor hessian = Tensor.Allocate(TensorType.F32, k, k);
        Span<float> h = hessian.Floats();
        float[] x = new float[k];
        for (int r = 0; r < rows; r++)
        {
            for (int i = 0; i < k; i++)
                x[i] = 0.2f * (random.NextSingle() - 0.5f);
            for (int c = 0; c < causes; c++)
            {
                float cause = random.NextSingle() - 0.5f;
                for (int i = 0; i < k; i++)
                    x[i] += cause * mix[c, i];
            }

            for (int i = 0; i < k; i++)
            {
                for (int j = 0; j < k; j++)
                    h[(i * k) + j] += x[i] * x[j];
            }
        }

        return hessian;
    }
}
