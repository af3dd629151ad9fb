using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Training;

/// <summary>
/// A model's parameters in single precision with their gradients. Modules that read the same input (query, key and value; gate and
/// up) lie next to each other, so that one product serves them.
/// </summary>
internal sealed unsafe class TrainingParameters
{
    private static readonly string[][] s_joined = [["query", "key", "value"], ["gate", "up"]];

    private readonly Dictionary<string, TrainingParameter> _byName = [];
    private readonly List<TrainingParameter> _all = [];

    /// <summary>Memory for all parameters of a model, zeroed.</summary>
    /// <param name="parameters">What there is.</param>
    /// <param name="trainable">Which get a gradient.</param>
    /// <param name="shadow">Only places, no memory: to see what a model would need. Nothing may be read or written.</param>
    public TrainingParameters(IEnumerable<Parameter> parameters, Func<Parameter, bool> trainable, bool shadow = false)
    {
        List<(Parameter Parameter, bool Trainable)> ordered = [.. Joined(parameters).Select(p => (p, trainable(p)))];
        long values = Lay(ordered, _ => true, out long[] places), gradients = Lay(ordered, p => p.Trainable, out long[] gradientPlaces);
        Tensor value = Room(values), gradient = Room(gradients);
        (Values, Gradients) = (value, gradient);
        for (int i = 0; i < ordered.Count; i++)
        {
            Parameter parameter = ordered[i].Parameter;
            TrainingParameter own = new(
                parameter,
                value.Slice(places[i], parameter.Count).Reshape(parameter.Shape),
                ordered[i].Trainable ? gradient.Slice(gradientPlaces[i], parameter.Count).Reshape(parameter.Shape) : null);
            _all.Add(own);
            _byName[parameter.Name] = own;
        }

        // An address that nothing lies at serves a shadow as well as any.
        Tensor Room(long count) => shadow ? new Tensor((byte*)64, this, TensorType.F32, [count]) : Tensor.Allocate(TensorType.F32, count);
    }

    /// <summary>All of them, in the order of memory.</summary>
    public IReadOnlyList<TrainingParameter> All => _all;

    /// <summary>All values, one behind the other with gaps.</summary>
    public Tensor Values { get; }

    /// <summary>All gradients of those that are trained.</summary>
    public Tensor Gradients { get; }

    /// <summary>One by name.</summary>
    public TrainingParameter this[string name] => _byName[name];

    /// <summary>Whether there is one of that name.</summary>
    public bool Has(string name) => _byName.ContainsKey(name);

    /// <summary>A matrix or vector for the tape.</summary>
    public TapeParameter Tape(string name) => Tape([name]);

    /// <summary>Neighbours as one: rows of matrices, values of vectors.</summary>
    public TapeParameter Tape(IReadOnlyList<string> names)
    {
        TrainingParameter[] parts = [.. names.Select(name => _byName[name])];
        TrainingParameter first = parts[0];
        bool vector = first.Parameter.Shape.Length == 1;
        int columns = vector ? checked((int)parts.Sum(p => p.Parameter.Count)) : first.Value.Columns, rows = vector ? 1 : checked((int)parts.Sum(p => p.Value.Rows));
        float* at = (float*)first.Value.Data, gradientAt = first.Gradient is null ? null : (float*)first.Gradient.Data;
        foreach (TrainingParameter part in parts)
        {
            if ((float*)part.Value.Data != at || (part.Gradient is null ? null : (float*)part.Gradient.Data) != gradientAt)
                throw new InvalidOperationException($"{part.Parameter.Name} does not follow its neighbour in memory");
            at += part.Value.Count;
            gradientAt += part.Gradient?.Count ?? 0;
        }

        return new TapeParameter(
            new MatrixView((float*)first.Value.Data, rows, columns),
            first.Gradient is null ? null : new MatrixView((float*)first.Gradient.Data, rows, columns));
    }

    /// <summary>Copies a model's numbers, from whatever type they have; what is trained beside it stays as it is.</summary>
    public void Load(Func<string, Tensor> source)
    {
        foreach (TrainingParameter own in _all.Where(own => !own.IsBeside))
        {
            Tensor from = source(own.Parameter.Name).Reshape(own.Parameter.Rows, own.Parameter.Columns);
            Tensor to = own.Value.Reshape(own.Parameter.Rows, own.Parameter.Columns);
            float[] row = new float[from.Columns];
            for (long r = 0; r < from.Rows; r++)
            {
                from.ReadRow(r, row);
                to.WriteRow(r, row);
            }
        }
    }

    // The parts of a joint stand where the first of them stood: first their weights, then their biases.
    private static IEnumerable<Parameter> Joined(IEnumerable<Parameter> parameters)
    {
        List<Parameter> all = [.. parameters];
        ILookup<(int Layer, int Index, string Kind, string[]? Joint), Parameter> groups = all.ToLookup(p => (p.Layer, p.Index, p.Kind, JointOf(p)));
        foreach (Parameter parameter in all)
        {
            string[]? joint = JointOf(parameter);
            if (joint is null)
                yield return parameter;
            else if (groups[(parameter.Layer, parameter.Index, parameter.Kind, joint)].First() == parameter)
            {
                foreach (Parameter part in groups[(parameter.Layer, parameter.Index, parameter.Kind, joint)].OrderBy(p => Array.IndexOf(joint, Plain(p.Module))))
                    yield return part;
            }
        }
    }

    private static string[]? JointOf(Parameter parameter) =>
        parameter.Kind is "weight" or "bias" ? Array.Find(s_joined, joint => joint.Contains(Plain(parameter.Module))) : null;

    private static string Plain(string module) => module.Replace("experts.", "", StringComparison.Ordinal);

    // A joint has no gaps inside; everything else begins on a cache line.
    private static long Lay(List<(Parameter Parameter, bool Trainable)> ordered, Func<(Parameter Parameter, bool Trainable), bool> counts, out long[] places)
    {
        places = new long[ordered.Count];
        long end = 0;
        for (int i = 0; i < ordered.Count; i++)
        {
            Parameter p = ordered[i].Parameter;
            bool follows = i > 0 && JointOf(p) is { } joint && ordered[i - 1].Parameter is { } before && JointOf(before) == joint
                && (before.Layer, before.Index, before.Kind) == (p.Layer, p.Index, p.Kind);
            places[i] = end = follows ? end : (end + 15) / 16 * 16;
            if (counts(ordered[i]))
                end += p.Count;
        }

        return end;
    }
}

/// <summary>One parameter with its memory.</summary>
/// <param name="Parameter">What it is.</param>
/// <param name="Value">Its numbers, single precision.</param>
/// <param name="Gradient">Its gradient, or null where it is frozen.</param>
internal sealed record TrainingParameter(Parameter Parameter, Tensor Value, Tensor? Gradient)
{
    /// <summary>It is trained beside the model and no part of it: an adapter, or a student's way to its teacher's width.</summary>
    public bool IsBeside => Parameter.Kind is LoraSettings.Down or LoraSettings.Up or StatePair.Projection;
}
