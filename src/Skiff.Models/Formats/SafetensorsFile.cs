using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>
/// The tensors of a safetensors file, or of a model folder with one file or an index of shards, as views of the mapped
/// files. Only a tensor that lies off its type's natural border, which the format allows, is copied.
/// </summary>
public sealed class SafetensorsFile : IDisposable
{
    /// <summary>The file name of an unsharded model in its folder.</summary>
    public const string FileName = "model.safetensors";

    private readonly List<MappedFile> _files = [];
    private readonly Dictionary<string, Tensor> _tensors = [];
    private readonly Dictionary<string, string> _metadata = [];

    private SafetensorsFile(string path) => Path = path;

    /// <summary>The file or folder as given.</summary>
    public string Path { get; }

    /// <summary>Every tensor by name, in the order of the file(s).</summary>
    public IReadOnlyDictionary<string, Tensor> Tensors => _tensors;

    /// <summary>The text pairs under <c>__metadata__</c>; of shards, the first file's pair wins.</summary>
    public IReadOnlyDictionary<string, string> Metadata => _metadata;

    /// <summary>
    /// Opens a <c>.safetensors</c> file, or a folder with <c>model.safetensors</c> or
    /// <c>model.safetensors.index.json</c> and its shards.
    /// </summary>
    /// <exception cref="InvalidInputException">Nothing is there, or a file is not valid.</exception>
    public static SafetensorsFile Open(string path)
    {
        SafetensorsFile result = new(path);
        try
        {
            if (!Directory.Exists(path))
                result.Add(path, null);
            else if (File.Exists(System.IO.Path.Combine(path, FileName)))
                result.Add(System.IO.Path.Combine(path, FileName), null);
            else if (File.Exists(System.IO.Path.Combine(path, SafetensorsIndex.FileName)))
                result.AddShards(path);
            else
                throw new InvalidInputException(path, FileName, $"not found, nor {SafetensorsIndex.FileName}: not a model folder");
            return result;
        }
        catch
        {
            result.Dispose();
            throw;
        }
    }

    /// <summary>Unmaps the files; the tensors must not be used afterwards. Without it they are unmapped after the last tensor's use.</summary>
    public void Dispose()
    {
        foreach (MappedFile file in _files)
            file.Dispose();
        _files.Clear();
    }

    private void AddShards(string folder)
    {
        string index = System.IO.Path.Combine(folder, SafetensorsIndex.FileName);
        Dictionary<string, string> map;
        using (MappedFile file = MappedFile.Open(index))
        {
            if (file.Length > SafetensorsHeader.LongestHeader)
                throw new InvalidInputException(index, "index", $"{file.Length} bytes exceed {SafetensorsHeader.LongestHeader}");
            map = SafetensorsIndex.Parse(file.Span(0, (int)file.Length), index);
        }

        foreach (string shard in map.Values.Distinct().Order(StringComparer.Ordinal))
        {
            string path = System.IO.Path.Combine(folder, shard);
            if (!File.Exists(path))
                throw new InvalidInputException(index, "weight_map", $"shard {shard} is not in the folder");
            Add(path, name => CheckListed(map, index, name, shard));
        }

        foreach ((string name, string shard) in map)
            if (!_tensors.ContainsKey(name))
                throw new InvalidInputException(index, $"weight_map.{name}", $"the tensor is not in {shard}");
    }

    private static void CheckListed(Dictionary<string, string> map, string index, string name, string shard)
    {
        if (!map.TryGetValue(name, out string? listed))
            throw new InvalidInputException(index, $"weight_map.{name}", $"is missing, but {shard} holds the tensor");
        if (listed != shard)
            throw new InvalidInputException(index, $"weight_map.{name}", $"says {listed}, but {shard} holds a tensor of that name");
    }

    private void Add(string path, Action<string>? check)
    {
        MappedFile file = MappedFile.Open(path);
        _files.Add(file);
        SafetensorsHeader header = SafetensorsHeader.Read(file);
        foreach (TensorPlace place in header.Tensors)
        {
            check?.Invoke(place.Name);
            _tensors.Add(place.Name, place.View(file));
        }

        foreach ((string key, string value) in header.Metadata)
            _metadata.TryAdd(key, value);
    }
}
