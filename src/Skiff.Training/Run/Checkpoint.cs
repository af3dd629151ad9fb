using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Serialization;
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Training;

/// <summary>
/// A moment of a run: a model folder with <c>optimizer.safetensors</c> and <c>state.json</c> beside the weights. The state names every
/// other file with its length and SHA-256, so that a checkpoint that was cut short or damaged is known for it.
/// </summary>
public sealed class Checkpoint
{
    internal const string StateFile = "state.json", OptimizerFile = "optimizer.safetensors";

    private static readonly JsonSerializerOptions s_options = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        RespectRequiredConstructorParameters = true,
        RespectNullableAnnotations = true,
        WriteIndented = true,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower, allowIntegerValues: false) },
    };

    private Checkpoint(string path, CheckpointState state) => (Path, State) = (path, state);

    /// <summary>The folder.</summary>
    public string Path { get; }

    /// <summary>Where the run stands.</summary>
    internal CheckpointState State { get; }

    /// <summary>Steps done.</summary>
    public long Step => State.Step;

    /// <summary>Opens a checkpoint after reading all of it once.</summary>
    /// <exception cref="InvalidInputException">It is not whole; names the file.</exception>
    public static Checkpoint Open(string path)
    {
        string stateFile = System.IO.Path.Combine(path, StateFile);
        CheckpointState state;
        try
        {
            state = JsonSerializer.Deserialize<CheckpointState>(File.ReadAllBytes(stateFile), s_options) ?? throw new JsonException("is null");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException)
        {
            throw new InvalidInputException(stateFile, "checkpoint", $"is not whole: {e.Message}", e);
        }

        foreach ((string name, CheckpointFile expected) in state.Files)
        {
            string file = System.IO.Path.Combine(path, name);
            long length = File.Exists(file) ? new FileInfo(file).Length : -1;
            if (length != expected.Bytes)
                throw new InvalidInputException(file, "checkpoint", length < 0 ? "is missing" : $"was cut short or changed: {length} bytes, not {expected.Bytes}");
            if (HashOf(file) != expected.Sha256)
                throw new InvalidInputException(file, "checkpoint", "is damaged: its SHA-256 is not the one in state.json");
        }

        return new Checkpoint(path, state);
    }

    /// <summary>Writes a checkpoint under another name and renames it when it is whole and on the disk.</summary>
    /// <param name="path">The folder, which is not there yet.</param>
    /// <param name="model">The model.</param>
    /// <param name="optimizer">The optimizer's arrays.</param>
    /// <param name="state">Where the run stands; the files are filled in.</param>
    /// <exception cref="InvalidInputException">It cannot be written: nothing of it stays.</exception>
    internal static void Write(string path, Model model, IEnumerable<(string Name, Tensor Tensor)> optimizer, CheckpointState state)
    {
        string temporary = System.IO.Path.Combine(System.IO.Path.GetDirectoryName(path)!, $".{System.IO.Path.GetFileName(path)}.tmp");
        try
        {
            Directory.CreateDirectory(temporary);
            ModelWriter.Write(model, temporary, TensorType.F32);
            SafetensorsWriter.Write(System.IO.Path.Combine(temporary, OptimizerFile), optimizer.Select(o => TensorEntry.Of(o.Name, o.Tensor)));
            Dictionary<string, CheckpointFile> files = Directory.EnumerateFiles(temporary).Order(StringComparer.Ordinal)
                .ToDictionary(file => System.IO.Path.GetFileName(file), file => new CheckpointFile(new FileInfo(file).Length, HashOf(file)));
            AtomicFile.WriteBytes(System.IO.Path.Combine(temporary, StateFile), JsonSerializer.SerializeToUtf8Bytes(state with { Files = files }, s_options));
            // One of this step that is there was found not to be whole.
            if (Directory.Exists(path))
                Directory.Delete(path, recursive: true);
            Directory.Move(temporary, path);
        }
        catch (Exception e)
        {
            if (Directory.Exists(temporary))
                Directory.Delete(temporary, recursive: true);
            if (e is IOException or UnauthorizedAccessException)
                throw new InvalidInputException(path, "checkpoint", $"cannot be written: {e.Message}", e);
            throw;
        }
    }

    /// <summary>The optimizer's arrays, copied into those given.</summary>
    /// <exception cref="InvalidInputException">One is missing or has another shape: the recipe's optimizer is not the run's.</exception>
    internal void Load(IEnumerable<(string Name, Tensor Tensor)> optimizer)
    {
        string file = System.IO.Path.Combine(Path, OptimizerFile);
        using SafetensorsFile stored = SafetensorsFile.Open(file);
        foreach ((string name, Tensor tensor) in optimizer)
        {
            if (!stored.Tensors.TryGetValue(name, out Tensor? source) || source.Count != tensor.Count || source.Type != TensorType.F32)
                throw new InvalidInputException(file, name, "is missing or of another size: the recipe's model or optimizer is not that of the run");
            source.Floats().CopyTo(tensor.Floats());
        }
    }

    private static string HashOf(string file)
    {
        using FileStream stream = File.OpenRead(file);
        return Convert.ToHexStringLower(SHA256.HashData(stream));
    }
}

/// <summary>Where a run stands, beside weights and moments.</summary>
/// <param name="Step">Steps done.</param>
/// <param name="Tokens">Tokens trained on.</param>
/// <param name="Seconds">Time spent in training.</param>
/// <param name="Data">Where the data stands.</param>
/// <param name="Watchdog">What the watchdog has seen.</param>
/// <param name="BestStep">The step of the lowest validation loss, or null.</param>
/// <param name="BestLoss">That loss, or null.</param>
internal sealed record CheckpointState(
    long Step, long Tokens, double Seconds, DataPosition Data, WatchdogState Watchdog, long? BestStep, double? BestLoss)
{
    /// <summary>The version of this form.</summary>
    public int Format { get; init; } = 1;

    /// <summary>The other files of the checkpoint.</summary>
    public IReadOnlyDictionary<string, CheckpointFile> Files { get; init; } = new Dictionary<string, CheckpointFile>();
}

/// <summary>A file of a checkpoint.</summary>
/// <param name="Bytes">Its length.</param>
/// <param name="Sha256">Its hash, in hexadecimal digits.</param>
internal sealed record CheckpointFile(long Bytes, string Sha256);
