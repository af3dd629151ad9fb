using System.Collections.Concurrent;
using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>
/// A model's parameters, taken out of a file's tensors when first asked for: a view of the file where the layouts agree,
/// a copy in the same number type where rows must be reordered, single precision where values change.
/// </summary>
internal sealed unsafe class ParameterStore
{
    private readonly TensorLayout _layout;
    private readonly Dictionary<string, Tensor> _stored;
    // Decoders share what they hold; a conversion, which holds one parameter at a time, leaves nothing behind.
    private readonly ConcurrentDictionary<string, WeakReference<Tensor>> _parameters = new();

    private ParameterStore(TensorLayout layout, Dictionary<string, Tensor> stored)
    {
        _layout = layout;
        _stored = stored;
    }

    /// <summary>Checks that the file holds every tensor of the layout in its shape, and nothing that would be ignored.</summary>
    /// <exception cref="InvalidInputException">Names the tensor.</exception>
    public static ParameterStore Of(TensorLayout layout, IReadOnlyDictionary<string, Tensor> tensors, TensorNames names, string source)
    {
        Dictionary<string, Tensor> stored = [];
        HashSet<string> used = [];
        foreach (StoredTensor wanted in layout.Tensors)
        {
            string name = tensors.ContainsKey(wanted.Name) || names.OptionalPrefix.Length == 0 || !wanted.Name.StartsWith(names.OptionalPrefix, StringComparison.Ordinal)
                ? wanted.Name
                : wanted.Name[names.OptionalPrefix.Length..];
            if (!tensors.TryGetValue(name, out Tensor? tensor))
                throw new InvalidInputException(source, wanted.Name, "the tensor is missing; the file does not fit its config.json");
            if (!Fits(tensor, wanted))
                throw new InvalidInputException(source, name, $"has shape [{string.Join(", ", tensor.Shape)}], config.json makes it [{string.Join(", ", wanted.Shape)}]");
            stored[wanted.Name] = tensor;
            used.Add(name);
        }

        foreach (string name in tensors.Keys)
        {
            // A tied head is often written out a second time.
            bool harmless = used.Contains(name) || names.NotParameters.Any(end => name.EndsWith(end, StringComparison.Ordinal)) || name == names.Modules["head"] + ".weight";
            if (!harmless)
                throw new InvalidInputException(source, name, "the tensor has no place in the architecture that config.json describes");
        }

        return new ParameterStore(layout, stored);
    }

    /// <summary>The parameter of this name, as <see cref="Parameter"/> defines its form.</summary>
    public Tensor this[string name]
    {
        get
        {
            if (_parameters.TryGetValue(name, out WeakReference<Tensor>? known) && known.TryGetTarget(out Tensor? shared))
                return shared;
            Tensor taken = Take(name);
            _parameters[name] = new WeakReference<Tensor>(taken);
            return taken;
        }
    }

    /// <summary>The number type of the parameter of this name.</summary>
    public TensorType TypeOf(string name)
    {
        StoredTensor stored = _layout.ByParameter[name];
        return stored.Transposed || stored.Shift != 0 ? TensorType.F32 : _stored[stored.Name].Type;
    }

    /// <summary>Lets go of the file's pages in memory, for whoever goes through it once.</summary>
    public void Forget()
    {
        foreach (Tensor tensor in _stored.Values)
            tensor.Forget();
    }

    private static bool Fits(Tensor tensor, StoredTensor wanted)
    {
        if (tensor.Type is TensorType.I8 or TensorType.I16 or TensorType.I32 or TensorType.I64 or TensorType.U8 or TensorType.Bool)
            return false;
        // Sizes of 1 come and go between formats ([n, 1, k] and [n, k]).
        return tensor.Shape.Where(s => s != 1).SequenceEqual(wanted.Shape.Where(s => s != 1));
    }

    private Tensor Take(string name)
    {
        StoredTensor stored = _layout.ByParameter[name];
        Tensor tensor = _stored[stored.Name];
        int part = Array.FindIndex(stored.Parts, p => p.Parameter.Name == name);
        (Parameter parameter, RowOrder order) = stored.Parts[part];
        if (stored.Transposed)
            return Transpose(stored, tensor, part);
        if (order == RowOrder.Natural && stored.Fusion == Fusion.Concatenated && stored.Shift == 0)
        {
            long first = stored.Parts.Take(part).Sum(p => p.Parameter.Rows);
            return Rows(tensor, parameter).Slice(first, parameter.Rows).Reshape(parameter.Shape);
        }

        Tensor source = Rows(tensor, parameter);
        Tensor result = Tensor.AllocateRaw(TypeOf(name), parameter.Shape);
        float[] row = new float[parameter.Columns];
        for (long r = 0, total = stored.Parts.Sum(p => p.Parameter.Rows); r < total; r++)
        {
            (int owner, long at) = stored.Locate(r);
            if (owner == part)
                RowCopy.Copy(source, r, result, at, parameter.Columns, -stored.Shift, [], row);
        }

        return result;
    }

    // Files may hold a matrix of experts or gate blocks under more dimensions; here it is rows of the parameter's width.
    private static Tensor Rows(Tensor tensor, Parameter parameter) =>
        parameter.Shape.Length == 1 ? tensor.Reshape(tensor.Count) : tensor.Reshape(tensor.Count / parameter.Columns, parameter.Columns);

    private static Tensor Transpose(StoredTensor stored, Tensor tensor, int part)
    {
        Parameter parameter = stored.Parts[part].Parameter;
        Tensor result = Tensor.AllocateRaw(TensorType.F32, parameter.Shape);
        Span<float> values = result.Floats();
        long first = stored.Parts.Take(part).Sum(p => p.Parameter.Rows);
        int width = tensor.Columns, columns = parameter.Columns;
        float[] rows = new float[TensorAssembly.Tile * width];
        for (int c = 0; c < columns; c += TensorAssembly.Tile)
        {
            int count = Math.Min(TensorAssembly.Tile, columns - c);
            for (int i = 0; i < count; i++)
                tensor.ReadRow(c + i, rows.AsSpan(i * width, width));
            for (int r = 0; r < parameter.Rows; r++)
            {
                Span<float> target = values.Slice(r * columns + c, count);
                for (int i = 0; i < count; i++)
                    target[i] = rows[i * width + (int)first + r];
            }
        }

        GC.KeepAlive(result);
        return result;
    }
}
