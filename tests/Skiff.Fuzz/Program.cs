using SharpFuzz;
using Skiff.Fuzz;
using Skiff.Tensors;

// Coverage needs instrumented libraries: run "sharpfuzz" on Skiff.Models.dll and Skiff.Tensors.dll of the build first.
// afl:       afl-fuzz -i seeds -o findings dotnet Skiff.Fuzz.dll TARGET
// libFuzzer: libfuzzer-dotnet --target_path=dotnet --target_arg="Skiff.Fuzz.dll TARGET" seeds
// One input: dotnet run --project tests/Skiff.Fuzz -- TARGET < input
if (args.Length != 1 || !FuzzTargets.All.TryGetValue(args[0], out Action<byte[]>? parse))
{
    Console.Error.WriteLine($"usage: Skiff.Fuzz TARGET, with one of: {string.Join(", ", FuzzTargets.All.Keys)}");
    return 2;
}

// libFuzzer's driver hands over its inputs in shared memory; afl, and a plain run, on standard input.
if (Environment.GetEnvironmentVariable("__LIBFUZZER_SHM_ID") is not null)
{
    Fuzzer.LibFuzzer.Run(bytes => Try(bytes.ToArray()));
}
else
{
    Fuzzer.OutOfProcess.Run(stream =>
    {
        using MemoryStream bytes = new();
        stream.CopyTo(bytes);
        Try(bytes.ToArray());
    });
}

return 0;

void Try(byte[] input)
{
    try
    {
        parse(input);
    }
    catch (InvalidInputException)
    {
        // A refusal is an answer.
    }
}
