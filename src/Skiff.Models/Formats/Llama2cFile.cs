using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>
/// A float32 checkpoint of karpathy/llama2.c, version 0 (legacy) or 1 (<c>ak42</c>): its hyper-parameters, and its
/// tensors as views of the mapped file. RoPE turns adjacent pairs, base 10000; RMSNorm's epsilon is 1e-5.
/// </summary>
public sealed class Llama2cFile : IDisposable
{
    private readonly MappedFile _file;
    private readonly Dictionary<string, Tensor> _tensors = [];

    private Llama2cFile(MappedFile file)
    {
        _file = file;
        Llama2cLayout layout = Llama2cLayout.Parse(file.Span(0, (int)Math.Min(file.Length, Llama2cLayout.HeaderBytes)), file.Length, file.Path);
        Version = layout.Version;
        Header = layout.Header;
        foreach (TensorPlace place in layout.Tensors)
            _tensors.Add(place.Name, place.View(file));
    }

    /// <summary>The file as given.</summary>
    public string Path => _file.Path;

    /// <summary>0 or 1.</summary>
    public int Version { get; }

    /// <summary>The hyper-parameters.</summary>
    public Llama2cHeader Header { get; }

    /// <summary>
    /// The tensors under llama2.c's names, all layers in one: <c>token_embedding_table</c> [V, D], <c>rms_att_weight</c>
    /// and <c>rms_ffn_weight</c> [L, D], <c>wq</c>, <c>wo</c> [L, D, D], <c>wk</c>, <c>wv</c> [L, K, D], <c>w1</c>,
    /// <c>w3</c> [L, F, D], <c>w2</c> [L, D, F], <c>rms_final_weight</c> [D], <c>wcls</c> [V, D] if not shared, and in
    /// version 0 the unused RoPE tables <c>freq_cis_real</c> and <c>freq_cis_imag</c> [T, H / 2].
    /// </summary>
    public IReadOnlyDictionary<string, Tensor> Tensors => _tensors;

    /// <summary>Opens a checkpoint.</summary>
    /// <exception cref="InvalidInputException">The file is absent or not a float32 llama2.c checkpoint.</exception>
    public static Llama2cFile Open(string path)
    {
        MappedFile file = MappedFile.Open(path);
        try
        {
            return new Llama2cFile(file);
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
