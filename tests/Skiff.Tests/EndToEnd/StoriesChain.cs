namespace Skiff.Tests.EndToEnd;

/// <summary>The story model through every form: .bin, folder, GGUF, .bin again; made once for all tests of a class.</summary>
public sealed class StoriesChain : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public StoriesChain()
    {
        if (!Directory.Exists(Data.Folder))
            return;
        CommandLine.Output("convert", Stories260k.Checkpoint, Folder, "--tokenizer", Stories260k.Tokenizer);
        CommandLine.Output("convert", Folder, Gguf, "--type", "f32");
        CommandLine.Output("convert", Gguf, Bin);
        CommandLine.Output("convert", Bin, FolderAgain, "--tokenizer", Gguf);
        CommandLine.Output("convert", Stories260k.CheckpointV1, FolderOfV1, "--tokenizer", Stories260k.Tokenizer);
    }

    internal string Folder => _folder.File("stories");

    internal string Gguf => _folder.File("stories.gguf");

    internal string Bin => _folder.File("again.bin");

    internal string FolderAgain => _folder.File("again");

    internal string FolderOfV1 => _folder.File("v1");

    internal string File(string name) => _folder.File(name);

    /// <summary>The model in one of its forms.</summary>
    internal string Form(string name) => name switch
    {
        "folder" => Folder,
        "gguf" => Gguf,
        "bin" => Bin,
        "folder again" => FolderAgain,
        _ => FolderOfV1,
    };

    public void Dispose() => _folder.Dispose();
}
