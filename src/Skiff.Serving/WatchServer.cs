using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Skiff.Tensors;

namespace Skiff.Serving;

/// <summary>
/// Serves a page that shows training runs while they go: GET /, /api/runs, /api/runs/{i}/metrics?from=CURSOR and
/// /api/runs/{i}/recipe. It reads the runs' files and writes nothing.
/// </summary>
public sealed class WatchServer : IAsyncDisposable
{
    private readonly WebApplication _app;

    private WatchServer(WebApplication app, string address, int runs)
    {
        _app = app;
        Address = address;
        RunCount = runs;
    }

    /// <summary>Where the page is, for a browser on this machine.</summary>
    public string Address { get; }

    /// <summary>Runs that were there at the start.</summary>
    public int RunCount { get; }

    /// <summary>Serves run folders, and folders that hold some, until it is disposed.</summary>
    /// <exception cref="InvalidInputException">A folder is no run, or the port or address cannot be had.</exception>
    public static async Task<WatchServer> StartAsync(IReadOnlyList<string> folders, WatchOptions options)
    {
        WatchedRuns runs = new(folders, TimeProvider.System);
        IPAddress? listen = await Resolve(options).ConfigureAwait(false);
        // Nothing from the environment or from files in the current folder: the options say everything.
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Services.AddSingleton<IHostLifetime>(new CallersLifetime());
        builder.Services.AddRoutingCore();
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            if (listen is null)
                kestrel.ListenLocalhost(options.Port);
            else
                kestrel.Listen(listen, options.Port);
        });
        WebApplication app = builder.Build();
        Map(app, new WatchGuard(options.Host), runs);
        try
        {
            await app.StartAsync().ConfigureAwait(false);
        }
        catch (Exception e) when (e is IOException or SocketException)
        {
            await app.DisposeAsync().ConfigureAwait(false);
            SocketError error = (e as SocketException ?? e.InnerException?.InnerException as SocketException)?.SocketErrorCode ?? SocketError.AddressAlreadyInUse;
            throw error switch
            {
                SocketError.AddressAlreadyInUse => new InvalidInputException("--port", Text(options.Port), "another program has this port: give another, or 0 for any that is free", e),
                SocketError.AccessDenied => new InvalidInputException("--port", Text(options.Port), "this port may not be used: give one above 1023, or 0 for any that is free", e),
                _ => new InvalidInputException("--host", options.Host, "is no address of this machine", e),
            };
        }

        int port = new Uri(app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First()).Port;
        string host = WatchGuard.IsEveryAddress(options.Host) ? "localhost" : options.Host.Contains(':', StringComparison.Ordinal) ? $"[{options.Host}]" : options.Host;
        return new WatchServer(app, $"http://{host}:{Text(port)}/", runs.List().Count);
    }

    /// <summary>Ends the requests that are under way and closes the port.</summary>
    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync().ConfigureAwait(false);
        await _app.DisposeAsync().ConfigureAwait(false);
    }

    // Null stands for both of localhost's addresses, which a free port cannot be had on at once.
    private static async Task<IPAddress?> Resolve(WatchOptions options)
    {
        if (string.Equals(options.Host, "localhost", StringComparison.OrdinalIgnoreCase))
            return options.Port == 0 ? IPAddress.Loopback : null;
        if (IPAddress.TryParse(options.Host, out IPAddress? address))
            return address;
        try
        {
            return (await Dns.GetHostAddressesAsync(options.Host).ConfigureAwait(false)).First();
        }
        catch (Exception e) when (e is SocketException or ArgumentException or InvalidOperationException)
        {
            throw new InvalidInputException("--host", options.Host, "is neither an address nor a name that is known", e);
        }
    }

    private static void Map(WebApplication app, WatchGuard guard, WatchedRuns runs)
    {
        app.Use(guard.Check);
        foreach ((string address, string type, byte[] bytes) in WatchPage.Files())
        {
            app.MapGet(address, (HttpContext context) =>
            {
                context.Response.ContentType = type;
                return context.Response.Body.WriteAsync(bytes, context.RequestAborted).AsTask();
            });
        }

        app.MapGet("/api/runs", (HttpContext context) => Json(context, json =>
        {
            json.WriteStartArray("runs");
            foreach (WatchedRun run in runs.List())
            {
                json.WriteStartObject();
                run.WriteSummary(json);
                json.WriteEndObject();
            }

            json.WriteEndArray();
        }));
        app.MapGet("/api/runs/{index}/metrics", (HttpContext context) => WithRun(context, runs, run =>
            TryParseCursor(context.Request.Query["from"], out (long Epoch, long Sequence)? from)
                ? Json(context, json => run.WriteMetrics(json, from))
                : WatchGuard.Refuse(context, StatusCodes.Status400BadRequest, "from: is no cursor: leave it out, or give one that was answered before")));
        app.MapGet("/api/runs/{index}/recipe", (HttpContext context) => WithRun(context, runs, run =>
        {
            if (run.ReadRecipe() is not { } recipe)
                return WatchGuard.Refuse(context, StatusCodes.Status404NotFound, $"the run has no {WatchedRun.RecipeFile}");
            context.Response.ContentType = "text/plain; charset=utf-8";
            return context.Response.WriteAsync(recipe, context.RequestAborted);
        }));
        app.MapFallback((HttpContext context) => WatchGuard.Refuse(context, StatusCodes.Status404NotFound, "there is nothing here"));
    }

    private static Task WithRun(HttpContext context, WatchedRuns runs, Func<WatchedRun, Task> answer)
    {
        IReadOnlyList<WatchedRun> all = runs.List();
        if (!int.TryParse(context.Request.RouteValues["index"] as string, NumberStyles.None, CultureInfo.InvariantCulture, out int index) || index >= all.Count)
            return WatchGuard.Refuse(context, StatusCodes.Status404NotFound, $"no such run: they are numbered from 0 to {all.Count - 1}");
        try
        {
            return answer(all[index]);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidInputException)
        {
            return WatchGuard.Refuse(context, StatusCodes.Status500InternalServerError, e.Message);
        }
    }

    private static bool TryParseCursor(string? text, out (long Epoch, long Sequence)? cursor)
    {
        cursor = null;
        if (string.IsNullOrEmpty(text))
            return true;
        int dot = text.IndexOf('.', StringComparison.Ordinal);
        if (dot < 0 || !long.TryParse(text.AsSpan(0, dot), NumberStyles.None, CultureInfo.InvariantCulture, out long epoch)
            || !long.TryParse(text.AsSpan(dot + 1), NumberStyles.None, CultureInfo.InvariantCulture, out long sequence))
            return false;
        cursor = (epoch, sequence);
        return true;
    }

    private static async Task Json(HttpContext context, Action<Utf8JsonWriter> members)
    {
        using MemoryStream buffer = new();
        using (Utf8JsonWriter json = new(buffer))
        {
            json.WriteStartObject();
            members(json);
            json.WriteEndObject();
        }

        context.Response.ContentType = "application/json";
        context.Response.ContentLength = buffer.Length;
        await context.Response.Body.WriteAsync(buffer.GetBuffer().AsMemory(0, (int)buffer.Length), context.RequestAborted).ConfigureAwait(false);
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);

    // The caller decides when to end: the host's own lifetime would take Ctrl+C for itself.
    private sealed class CallersLifetime : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
