// N rows, D model
using System.Security.Cryptography;
using System.Text;
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Inference;

/// <summary>A model's parameters in the form the engine computes with; matrices that several blocks share are packed once.</summary>
internal sealed class EngineWeights(Model model, ThreadTeam team, Action<int, int>? progress, InputVisitor? inputs, ExpertVisitor? experts)
{
    private readonly Dictionary<string, PackedMatrix> _matrices = [];
    private readonly PanelArena _arena = new(PanelArena.ManyPanels);
    private readonly IncrementalHash _identity = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private readonly int _count = ParameterList.Of(model.Config).Count(p => IsPacked(p, model.Config));

    /// <summary>Sees experts at work, or null.</summary>
    public ExpertVisitor? Experts => experts;

    /// <summary>Bytes of packed matrices.</summary>
    public long ByteLength => _matrices.Values.Sum(matrix => matrix.ByteLength);

    /// <summary>Bytes that the packed matrices of a model take at least.</summary>
    public static long LeastBytes(Model model) => Packed(model).Sum(p => model.TypeOf(p.Name).ByteLength(p.Count));

    /// <summary>Whether all matrices are in single precision or better.</summary>
    public static bool IsExact(Model model) => Packed(model).All(p => model.TypeOf(p.Name) is TensorType.F32 or TensorType.F64);

    private static IEnumerable<Parameter> Packed(Model model) => ParameterList.Of(model.Config).Where(p => IsPacked(p, model.Config));

    private static bool IsPacked(Parameter p, ModelConfig config) => p.Shape.Length == 2 && p.Kind == "weight" && p.Module != "position_embedding"
        && (p.Module != "embedding" || config.TieWordEmbeddings);

    /// <summary>
    /// A hash of the description and of the name, type and outermost rows of every matrix packed so far: what tells one model, or one
    /// quantization of it, from another.
    /// </summary>
    public byte[] Identity()
    {
        _identity.AppendData(Encoding.UTF8.GetBytes(model.Config.Source.ToJsonString()));
        return _identity.GetHashAndReset();
    }

    /// <summary>A parameter as it is stored.</summary>
    public Tensor Stored(string name) => model.Parameter(name);

    /// <summary>A matrix, packed when it is first asked for.</summary>
    public PackedMatrix Matrix(string name)
    {
        if (_matrices.TryGetValue(name, out PackedMatrix? matrix))
            return matrix;
        Tensor tensor = model.Parameter(name);
        _identity.AppendData(Encoding.UTF8.GetBytes($"{name} {tensor}\n"));
        _identity.AppendData(tensor.RowBytes(0));
        _identity.AppendData(tensor.RowBytes(tensor.Rows - 1));
        matrix = PackedMatrix.Pack(tensor, team, _arena);
        _matrices.Add(name, matrix);
        progress?.Invoke(_matrices.Count, _count);
        return matrix;
    }

    /// <summary>All values of a parameter in a row.</summary>
    public float[] Values(string module, string kind, int layer = -1, int index = -1)
    {
        Tensor tensor = model.Parameter(Parameter.NameOf(module, kind, layer, index));
        float[] values = new float[tensor.Count];
        tensor.Reshape(1, tensor.Count).ReadRow(0, values);
        return values;
    }

    /// <summary>A matrix with its bias.</summary>
    public EngineLinear Linear(string module, int layer, bool bias, int index = -1)
    {
        string name = Parameter.NameOf(module, "weight", layer, index);
        return new EngineLinear(Matrix(name), bias ? Values(module, "bias", layer, index) : [], inputs is null ? null : rows => inputs(name, rows));
    }

    /// <summary>A norm with its parameters.</summary>
    public EngineNorm Norm(NormConfig norm, string module, int layer = -1) =>
        new(norm, norm.Gain ? Values(module, "weight", layer) : [], norm.Bias ? Values(module, "bias", layer) : []);

    /// <summary>The norms of queries or keys: none, one, or one for each head.</summary>
    public EngineNorm[] HeadNorms(string module, int layer, int heads) => model.Config.QkNorm switch
    {
        QueryKeyNorm.None => [],
        QueryKeyNorm.EachHead => [.. Enumerable.Range(0, heads).Select(h => new EngineNorm(model.Config.Norm, Values(module, "weight", layer, h), []))],
        _ => [Norm(model.Config.Norm, module, layer)],
    };
}

/// <summary>A matrix with its bias at hand.</summary>
internal sealed class EngineLinear(PackedMatrix weight, float[] bias, Action<MatrixView>? inputs)
{
    public PackedMatrix Weight => weight;

    public int Inputs => weight.Inputs;

    public int Outputs => weight.Outputs;

    /// <summary>y = x W^T + bias of the pass's activations.</summary>
    public void Apply(EnginePass pass, MatrixView y)
    {
        Show(pass);
        weight.Multiply(pass.Activations, y, pass.Team);
        AddBias(pass, y);
    }

    /// <summary>Lets a visitor see what is about to be read.</summary>
    public void Show(EnginePass pass) => inputs?.Invoke(pass.Activations.Values);

    public void AddBias(EnginePass pass, MatrixView y)
    {
        if (bias.Length > 0)
            Bias.Add(y, bias, pass.Team);
    }
}

/// <summary>Matrices that read the same rows; their results lie side by side.</summary>
internal sealed class EngineLinears(params EngineLinear[] parts)
{
    private readonly PackedMatrix[] _weights = [.. parts.Select(part => part.Weight)];

    public int Outputs { get; } = parts.Sum(part => part.Outputs);

    /// <summary>y = x W^T + bias of the pass's activations, one matrix beside the other.</summary>
    public void Apply(EnginePass pass, MatrixView y)
    {
        foreach (EngineLinear part in parts)
            part.Show(pass);
        PackedMatrix.Multiply(pass.Activations, _weights, y, pass.Team);
        int column = 0;
        foreach (EngineLinear part in parts)
        {
            part.AddBias(pass, y.Block(0, y.Rows, column, part.Outputs));
            column += part.Outputs;
        }
    }
}

/// <summary>A norm with its parameters at hand.</summary>
internal sealed unsafe class EngineNorm(NormConfig config, float[] gain, float[] bias)
{
    /// <summary>x to y, which may be x.</summary>
    public void Apply(EnginePass pass, MatrixView x, MatrixView y) =>
        Normalization.Forward(x, gain, bias, config.GainOffset, config.Epsilon, y, pass.Inverse.AsSpan(0, x.Rows), config.Rms ? [] : pass.Mean.AsSpan(0, x.Rows), pass.Team);

    /// <summary>Each head of x [N, heads size] by itself, in place.</summary>
    public void ApplyHeads(EnginePass pass, MatrixView x, int size)
    {
        int heads = x.Columns / size;
        // A row's heads lie as rows do: whichever takes fewer calls.
        for (int row = 0; row < x.Rows && x.Rows < heads; row++)
        {
            MatrixView one = new(x.Data + row * x.RowStride, heads, size);
            Apply(pass, one, one);
        }

        for (int head = 0; head < heads && x.Rows >= heads; head++)
        {
            MatrixView one = x.Block(0, x.Rows, head * size, size);
            Apply(pass, one, one);
        }
    }
}
