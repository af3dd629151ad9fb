using System.Globalization;
using System.Text;
using Skiff.Tensors;

namespace Skiff.Benchmarks;

/// <summary>
/// What a language model's bits per byte are compared with: compressors on the documents that a recipe with the same
/// <c>held_out</c> measures on. Documents stand one behind the other with nothing between.
/// </summary>
internal static class TextCompressionBenchmark
{
    private const int Order = 5;
    private const int MostRows = 40;

    /// <summary><c>FILE... [--held-out SHARE] [--model PATH]</c></summary>
    public static void Run(string[] arguments)
    {
        (IReadOnlyList<string> names, double share, string? path) = Parse(arguments);
        PpmModel primed = new(Order);
        SplitCorpus corpus = new(names, share, text => primed.Learn(text));
        byte[] all = [.. corpus.HeldOutTexts.SelectMany(text => text)];

        string? xz = Xz.Version();
        (string Name, Func<byte[], double> Bits)[] compressors =
        [
            ("PPM, order 2", text => new PpmModel(2).Code(text)),
            ("PPM, order 3", text => new PpmModel(3).Code(text)),
            ($"PPM, order {Order}", text => new PpmModel(Order).Code(text)),
            ($"PPM, order {Order}, after the training documents", text => primed.Copy().Code(text)),
        ];
        if (xz is not null)
            compressors = [("xz -9e", text => 8.0 * Xz.Compress(text)), .. compressors];
        using ModelBits? model = path is null ? null : new ModelBits(path);
        if (model is not null)
            compressors = [.. compressors, (model.Name, model.Code)];

        double[] together = [.. compressors.Select(compressor => compressor.Bits(all))];
        double[][] apart = [.. corpus.HeldOutTexts.Select(text => compressors.Select(compressor => compressor.Bits(text)).ToArray())];

        Console.WriteLine($"{string.Join(' ', names.Select(Path.GetFileName))}, held-out share {share.ToString(CultureInfo.InvariantCulture)}: {corpus.HeldOutTexts.Count} documents, {all.Length} bytes held out; {corpus.TrainingDocuments} documents, {corpus.TrainingBytes} bytes to train on. Bits per byte.");
        Console.WriteLine();
        Console.WriteLine("| compressor | all as one file | each document by itself |");
        Console.WriteLine("| --- | ---: | ---: |");
        for (int i = 0; i < compressors.Length; i++)
            Console.WriteLine($"| {compressors[i].Name} | {PerByte(together[i], all)} | {PerByte(apart.Sum(bits => bits[i]), all)} |");

        Console.WriteLine();
        Console.WriteLine($"| document by itself | bytes | {string.Join(" | ", compressors.Select(compressor => compressor.Name))} |");
        Console.WriteLine($"| --- | ---: |{string.Concat(compressors.Select(_ => " ---: |"))}");
        foreach ((byte[] text, double[] bits) in corpus.HeldOutTexts.Zip(apart).Take(MostRows))
            Console.WriteLine($"| {Opening(text)} | {text.Length} | {string.Join(" | ", bits.Select(value => PerByte(value, text)))} |");
        if (apart.Length > MostRows)
            Console.WriteLine($"| ... {apart.Length - MostRows} more | |{string.Concat(compressors.Select(_ => " |"))}");

        Console.WriteLine();
        Console.WriteLine(xz is null ? "xz: there is no such program on the PATH, so it is not in the tables." : xz);
        Console.WriteLine($"PPM after the training documents: {primed.Nodes} nodes in {primed.Bytes >> 20} MiB, at most {(long)PpmModel.MostNodes * PpmModel.NodeBytes >> 20} MiB; as much again for the copy that codes.");
        Console.WriteLine(Bench.Machine());
    }

    private static (IReadOnlyList<string> Names, double Share, string? Model) Parse(string[] arguments)
    {
        string? model = null;
        List<string> names = [];
        double share = 0.05;
        for (int i = 0; i < arguments.Length; i++)
        {
            if (!arguments[i].StartsWith("--", StringComparison.Ordinal))
                names.Add(arguments[i]);
            else if (arguments[i] == "--model")
                model = ++i < arguments.Length ? arguments[i] : throw new InvalidInputException("text-compression", "--model", "needs a model");
            else if (arguments[i] != "--held-out")
                throw new InvalidInputException("text-compression", arguments[i], "unknown: there are --held-out and --model");
            else if (++i == arguments.Length || !double.TryParse(arguments[i], CultureInfo.InvariantCulture, out share))
                throw new InvalidInputException("text-compression", "--held-out", "needs a share from 0 to 1");
        }

        return (names.Count > 0 ? names : [Bench.DataFile("text", "childrens-books.jsonl.gz")], share, model);
    }

    private static string PerByte(double bits, byte[] text) => Bench.Format(bits / text.Length, "0.000");

    // Documents have no names; their first words tell them apart. The cut may split a character at its end.
    private static string Opening(byte[] text) =>
        string.Join(' ', Encoding.UTF8.GetString(text, 0, Math.Min(text.Length, 48)).Split(['\r', '\n', ' ', '|', '\uFFFD'], StringSplitOptions.RemoveEmptyEntries)) + " ...";
}
