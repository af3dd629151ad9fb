using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Tests.Models;

public sealed class AtomicFileTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void AFileIsReplacedOnlyWhenItsSuccessorIsWhole()
    {
        string path = _folder.File("a");
        AtomicFile.WriteText(path, "old");
        AtomicFile.Write(path, stream =>
        {
            stream.Write("new"u8);
            stream.Flush();
            Assert.Equal("old", File.ReadAllText(path));
        });
        Assert.Equal("new", File.ReadAllText(path));
        Assert.Equal(["a"], _folder.Files);
    }

    [Fact]
    public void AFailureLeavesTheOldFileAndNothingElse()
    {
        string path = _folder.File("a");
        AtomicFile.WriteText(path, "old");
        Assert.Throws<FormatException>(() => AtomicFile.Write(path, stream =>
        {
            stream.Write("half"u8);
            throw new FormatException();
        }));
        Assert.Equal("old", File.ReadAllText(path));
        Assert.Equal(["a"], _folder.Files);
    }

    [Fact]
    public void AFolderThatIsNotThereIsNamed()
    {
        string path = Path.Combine(_folder.Path, "none", "a");
        string message = Assert.Throws<InvalidInputException>(() => AtomicFile.WriteText(path, "x")).Message;
        Assert.StartsWith($"{path}: file: cannot be written: ", message);
    }
}
