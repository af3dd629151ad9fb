using System.CommandLine;
using Skiff.Serving;

namespace Skiff.Cli;

/// <summary><c>skiff watch</c>: a live page of training runs.</summary>
internal static class WatchVerb
{
    public static Verb Create()
    {
        Argument<string[]> runs = new("RUN") { Description = "A run folder, or a folder that holds some.", Arity = ArgumentArity.OneOrMore };
        Option<int?> port = Flags.Whole("--port", "The port to serve at; 0 takes any that is free. Default 8080.");
        Option<string?> host = Flags.Text("--host", "NAME", "The name or address to listen on; 0.0.0.0 shows the runs to the whole network. Default localhost.");
        Verb verb = new("watch", "Serve a live page with the curves of training runs, until Ctrl+C.")
        {
            Examples = ["skiff watch runs/tiny", "skiff watch runs --port 0"],
        };
        verb.Arguments.Add(runs);
        verb.Options.Add(port);
        verb.Options.Add(host);
        verb.Validators.Add(result =>
        {
            if (result.GetValue(port) is < 0 or > 65535)
                result.AddError("--port takes a number from 0 to 65535");
        });
        return verb.Runs((parse, stop) =>
        {
            WatchOptions options = new();
            options = options with { Port = parse.GetValue(port) ?? options.Port, Host = parse.GetValue(host) ?? options.Host };
            Serve(parse.GetValue(runs)!, options, parse.InvocationConfiguration.Output, stop).GetAwaiter().GetResult();
            return Program.Success;
        });
    }

    private static async Task Serve(string[] runs, WatchOptions options, TextWriter output, CancellationToken stop)
    {
        await using WatchServer server = await WatchServer.StartAsync(runs, options);
        output.WriteLine($"watching {server.RunCount} run{(server.RunCount == 1 ? "" : "s")} at {server.Address} (Ctrl+C ends)");
        output.Flush();
        // Ctrl+C is how watching ends, not how it fails.
        await Task.Delay(Timeout.Infinite, stop).ContinueWith(_ => { }, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
    }
}
