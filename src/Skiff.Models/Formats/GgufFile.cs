using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>A GGUF file (little-endian, version 2 or 3): its metadata, and its tensors as views of the mapped file.</summary>
public sealed class GgufFile : IDisposable
{
    private readonly MappedFile _file;
    private readonly Dictionary<string, Tensor> _tensors = [];

    private GgufFile(MappedFile file)
    {
        _file = file;
        GgufHeader header = GgufHeader.Read(file);
        Version = header.Version;
        Metadata = header.Metadata;
        foreach (TensorPlace place in header.Tensors)
            _tensors.Add(place.Name, place.View(file));
    }

    /// <summary>The file as given.</summary>
    public string Path => _file.Path;

    /// <summary>2 or 3.</summary>
    public int Version { get; }

    /// <summary>The key-value pairs in file order.</summary>
    public GgufMetadata Metadata { get; }

    /// <summary>Every tensor by name, in the order of the data; shapes outermost first, the reverse of the file's.</summary>
    public IReadOnlyDictionary<string, Tensor> Tensors => _tensors;

    /// <summary>Opens a file.</summary>
    /// <exception cref="InvalidInputException">The file is absent, not valid, or holds a tensor type that is not supported.</exception>
    public static GgufFile Open(string path)
    {
        MappedFile file = MappedFile.Open(path);
        try
        {
            return new GgufFile(file);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Unmaps the file; the tensors must not be used afterwards. Without it, it is unmapped after the last tensor's use.</summary>
    public void Dispose() => _file.Dispose();
}
