using System.Text;
using CsCheck;
using Skiff.Tensors;
using Skiff.Tests.Fuzzing;
using Skiff.Training;

namespace Skiff.Tests.Training;

public sealed class MetricsReaderTests : IDisposable
{
    private static readonly (string, char)[] s_other =
        [("nonsense", 'j'), ("{\"loss\":2}", 'j'), ("{\"step\":1", 'j'), ("{\"step\":1,\"loss\":\"x\"}", 'j'), (new string('{', 90), 'j'), ("", '-'), (" \t\r", '-')];

    // A line, and whether it is metrics, junk, or nothing at all.
    private static readonly Gen<(string Text, char Kind)> s_line = Gen.OneOf(
        Gen.Int[0, 9999].Select(step => ($"{{\"step\":{step},\"loss\":2.5,\"tokens\":{step * 8192L}}}", 'm')),
        Gen.Int[0, 9999].Select(step => ($"  {{\"step\":{step},\"prompt\":\"a\",\"sample\":\"b\\n\u00E9\"}}\r", 'm')),
        Gen.Int[0, s_other.Length - 1].Select(i => s_other[i]));

    private readonly TemporaryFolder _folder = new();

    private string FilePath => _folder.File(MetricsReader.FileName);

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void EveryKindOfLineIsRead()
    {
        File.WriteAllText(FilePath,
            """
            {"step":120,"steps":5000,"tokens":983040,"loss":4.1234,"lr":0.0021,"lr_multiplier":0.7,"grad_norm":0.9,"tokens_per_second":25000.0,"share_of_peak":0.61,"seconds":39.2,"eta_seconds":1500.0,"stage":0}
            {"step":120,"tokens":983040,"val_loss":4.2,"val_bits_per_byte":1.91}
            {"step":500,"prompt":"Once upon a time","sample":"there was"}
            {"step":5000,"done":true,"seconds":1650.0}
            {"step":1234,"stopped":"loss is NaN"}
            {"step":7,"loss":null,"new":{"deep":[1,2]}}

            """);
        Assert.Equal(
        [
            new() { Step = 120, Steps = 5000, Tokens = 983040, IsTraining = true, Loss = 4.1234, LearningRate = 0.0021, GradientNorm = 0.9, TokensPerSecond = 25000, ShareOfPeak = 0.61, Seconds = 39.2, SecondsLeft = 1500 },
            new() { Step = 120, Tokens = 983040, ValidationLoss = 4.2, ValidationBitsPerByte = 1.91 },
            new() { Step = 500, Prompt = "Once upon a time", Sample = "there was" },
            new() { Step = 5000, IsDone = true, Seconds = 1650 },
            new() { Step = 1234, Stopped = "loss is NaN" },
            new() { Step = 7, IsTraining = true },
        ], new MetricsReader(FilePath).Read().Lines);
    }

    [Theory]
    [InlineData("5")]
    [InlineData("[{\"step\":1}]")]
    [InlineData("{\"step\":1.5}")]
    [InlineData("{\"step\":-1}")]
    [InlineData("{\"step\":null}")]
    [InlineData("{\"step\":99999999999999999999}")]
    [InlineData("{\"step\":1}{\"step\":2}")]
    [InlineData("{\"step\":1,}")]
    [InlineData("{\"step\":1,\"sample\":\"\\ud800\"}")]
    [InlineData("{\"step\":1,\"done\":1}")]
    [InlineData("{\"step\":1,\"loss\":NaN}")]
    [InlineData("\0\0\0")]
    public void OtherLinesAreJunk(string line)
    {
        File.WriteAllText(FilePath, $"{{\"step\":1}}\n{line}\n{{\"step\":3}}\n");
        MetricsReader reader = new(FilePath);
        Assert.Equal([1, 3], reader.Read().Lines.Select(read => read.Step));
        Assert.Equal(1, reader.Junk);
    }

    // However the file's bytes arrive, and however few a read takes, the same lines are read, each once.
    [Fact]
    public void LinesDoNotHangOnHowTheFileGrows() =>
        Gen.Select(s_line.List[0, 30], Gen.Int[1, 60].List[0, 20], Gen.Int[80, 400]).Sample((lines, cuts, block) =>
        {
            byte[] file = Encoding.UTF8.GetBytes(string.Concat(lines.Select(line => line.Text + "\n")));
            File.WriteAllBytes(FilePath, []);
            MetricsReader reader = new(FilePath) { BlockSize = block, LongestLine = 79 };
            List<MetricsLine> read = [];
            int at = 0;
            foreach (int cut in cuts.Append(file.Length))
            {
                int next = Math.Min(file.Length, at + cut);
                using (FileStream stream = new(FilePath, FileMode.Append))
                    stream.Write(file.AsSpan(at..next));
                at = next;
                MetricsBatch batch;
                do
                {
                    batch = reader.Read();
                    Assert.False(batch.StartedOver);
                    read.AddRange(batch.Lines);
                }
                while (batch.HasMore);
            }

            Assert.Equal(lines.Where(line => line.Kind == 'm').Select(line => MetricsLine.TryParse(Encoding.UTF8.GetBytes(line.Text))), read);
            Assert.Equal(lines.Count(line => line.Kind == 'j'), reader.Junk);
            Assert.Equal(file.Length, reader.Offset);
        }, iter: 300, threads: 1);

    // A trainer that resumes cuts the file back to its checkpoint and goes on: the reader may look at any time in between.
    [Fact]
    public void AFileThatWasCutBackIsReadAnew() =>
        Gen.Select(Gen.Int[1, 40], Gen.Int[0, 40], Gen.Int[0, 60]).Where((before, kept, _) => kept < before).Sample((before, kept, after) =>
        {
            string[] first = [.. Enumerable.Range(1, before).Select(step => Line(step, 1))];
            string[] second = [.. first[..kept], .. Enumerable.Range(kept + 1, after).Select(step => Line(step, 2))];
            File.WriteAllText(FilePath, string.Concat(first) + "junk\n");
            MetricsReader reader = new(FilePath);
            Assert.Equal(before, reader.Read().Lines.Count);
            File.WriteAllText(FilePath, string.Concat(second));
            MetricsBatch batch = reader.Read();
            Assert.True(batch.StartedOver);
            Assert.Equal(second.Select(line => MetricsLine.TryParse(Encoding.UTF8.GetBytes(line.TrimEnd()))), batch.Lines);
            Assert.Equal(0, reader.Junk);
            Assert.False(reader.Read().StartedOver);
        }, iter: 200, threads: 1);

    [Fact]
    public void ALineIsTakenOnceItIsWhole()
    {
        MetricsReader reader = new(FilePath);
        Assert.Empty(reader.Read().Lines);
        File.WriteAllText(FilePath, "{\"step\":1}\n{\"step\":2");
        Assert.Equal([1], reader.Read().Lines.Select(line => line.Step));
        Assert.Empty(reader.Read().Lines);
        File.AppendAllText(FilePath, "2}\n");
        Assert.Equal([22], reader.Read().Lines.Select(line => line.Step));
        Assert.Equal(0, reader.Junk);
        File.Delete(FilePath);
        Assert.True(reader.Read().StartedOver);
        Assert.Equal(0, reader.Offset);
    }

    // 64 MiB without a line end must not become 64 MiB of memory.
    [Fact]
    public void AnEndlessLineIsPassedOver()
    {
        using (FileStream stream = new(FilePath, FileMode.Create))
        {
            stream.SetLength(64 << 20);
            stream.Position = stream.Length;
            stream.Write("\n{\"step\":1}\n"u8);
        }

        MetricsReader reader = new(FilePath);
        int reads = 0;
        MetricsBatch batch;
        do
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            batch = reader.Read();
            reads++;
            Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 2 << 20);
        }
        while (batch.HasMore);
        Assert.InRange(reads, 64, 66);
        Assert.Equal([1], batch.Lines.Select(line => line.Step));
        Assert.Equal(1, reader.Junk);
    }

    [Fact]
    public void NoLineBreaksTheParser() => Mutation.Check(
    [
        .. new[]
        {
            "{\"step\":120,\"steps\":5000,\"tokens\":983040,\"loss\":4.1234,\"grad_norm\":0.9,\"seconds\":39.2}",
            "{\"step\":500,\"prompt\":\"Once\",\"sample\":\"a \\\"b\\\" \\u00e9\"}", "{\"step\":5,\"done\":true,\"x\":[{}]}",
        }.Select(Encoding.UTF8.GetBytes),
    ], input =>
    {
        if (MetricsLine.TryParse(input) is null)
            throw new InvalidInputException("x", "line", "junk");
    });

    private static string Line(int step, int run) => $"{{\"step\":{step},\"loss\":2.5,\"seconds\":{step * run}.5}}\n";
}
