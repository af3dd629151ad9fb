using System.Globalization;
using Skiff.Training;

namespace Skiff.Cli;

/// <summary>What a run would be, as lines or JSON.</summary>
internal static class DryRunPrinter
{
    public static void Print(TextWriter output, DryRun run, bool json)
    {
        if (json)
        {
            Output.Json(output, writer =>
            {
                writer.WriteNumber("parameters", run.Parameters);
                writer.WriteNumber("trained_parameters", run.TrainedParameters);
                writer.WriteNumber("non_embedding_parameters", run.NonEmbeddingParameters);
                writer.WriteNumber("memory_bytes", run.Memory.Total);
                writer.WriteNumber("parameter_bytes", run.Memory.Parameters);
                writer.WriteNumber("gradient_bytes", run.Memory.Gradients);
                writer.WriteNumber("optimizer_bytes", run.Memory.Optimizer);
                writer.WriteNumber("activation_bytes", run.Memory.Activations);
                writer.WriteNumber("steps", run.Steps);
                writer.WriteNumber("tokens", run.Tokens);
                writer.WriteNumber("micro_batch_size", run.MicroBatchSize);
                writer.WriteNumber("corpus_bytes", run.CorpusBytes);
                writer.Figure("peak_gflops", Math.Round(run.PeakGflops, 1));
                writer.Figure("estimated_seconds", Math.Round(run.Seconds, 1));
            });
            return;
        }

        Line("parameters", FormattableString.Invariant($"{run.Parameters}, {run.NonEmbeddingParameters} without embeddings; {run.TrainedParameters} are trained"));
        Line("memory", $"{Megabytes(run.Memory.Total)}: parameters {Megabytes(run.Memory.Parameters)}, gradients {Megabytes(run.Memory.Gradients)}, optimizer {Megabytes(run.Memory.Optimizer)}, activations {Megabytes(run.Memory.Activations)}");
        Line("tokens", FormattableString.Invariant($"{run.Tokens} in {run.Steps} steps, {run.MicroBatchSize} sequences at a time"));
        Line("corpus", $"{Megabytes(run.CorpusBytes)} of files as they lie on disk");
        Line("time", $"about {Progress.Duration(run.Seconds)}, at {DryRun.AssumedShare.ToString("0%", CultureInfo.InvariantCulture)} of the {run.PeakGflops.ToString("0", CultureInfo.InvariantCulture)} GFLOP/s measured now");

        void Line(string name, string text) => output.WriteLine($"{name,-12}{text}");
    }

    private static string Megabytes(long bytes) => (bytes / 1e6).ToString("0.0", CultureInfo.InvariantCulture) + " MB";
}
