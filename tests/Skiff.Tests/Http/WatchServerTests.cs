using System.Net;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using Skiff.Serving;
using Skiff.Tensors;
using Skiff.Tests.EndToEnd;
using Skiff.Tests.Serving;

namespace Skiff.Tests.Http;

public sealed class WatchServerTests : IAsyncDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly HttpClient _client = new();
    private WatchServer? _server;

    public async ValueTask DisposeAsync()
    {
        if (_server is not null)
            await _server.DisposeAsync();
        _client.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public async Task RunsAreToldWithTheirLastFigures()
    {
        string tiny = RunFolders.Create(_folder, "tiny", 100), small = RunFolders.Create(_folder, "small", 50);
        RunFolders.Append(small, "{\"step\":50,\"stopped\":\"loss is NaN\"}\nrubbish\n{\"step\":51,\"lo");
        await Start(tiny, small);
        JsonArray runs = (await Json("api/runs"))["runs"]!.AsArray();
        Assert.Equal(["tiny", "small"], runs.Select(run => (string)run!["name"]!));
        Assert.Equal(["running", "stopped"], runs.Select(run => (string)run!["state"]!));
        JsonNode first = runs[0]!, second = runs[1]!;
        Assert.Equal((100, 1000, 10_000), ((int)first["step"]!, (int)first["steps"]!, (int)first["tokens"]!));
        Assert.Equal((2.05, 1.01, 0.5), ((double)first["loss"]!, (double)first["val_bits_per_byte"]!, (double)first["share_of_peak"]!));
        Assert.Equal((0.001, 2500, 60, 25), ((double)first["lr"]!, (double)first["tokens_per_second"]!, (double)first["eta_seconds"]!, (double)first["seconds"]!));
        Assert.Equal(("loss is NaN", 1, 0), ((string?)second["reason"], (int)second["junk"]!, (int)first["junk"]!));
        Assert.Equal("model: tiny\n", await _client.GetStringAsync(Url("api/runs/0/recipe"), TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task NewLinesComeAfterACursor()
    {
        string run = RunFolders.Create(_folder, "tiny", 100);
        await Start(run);
        JsonNode all = await Json("api/runs/0/metrics");
        Assert.Equal(100, all["training"]!["loss"]!.AsArray().Count);
        Assert.Equal(10, all["validation"]!["val_bits_per_byte"]!.AsArray().Count);
        Assert.Equal(10, all["samples"]!.AsArray().Count);

        RunFolders.Append(run, RunFolders.Line(101));
        JsonNode news = await Json($"api/runs/0/metrics?from={all["cursor"]}");
        Assert.Equal("[101]", news["training"]!["step"]!.ToJsonString());
        Assert.Equal((100, 10), ((int)news["training"]!["keep"]!, (int)news["validation"]!["keep"]!));
        Assert.Null(news["samples"]);
        Assert.Equal((string)news["cursor"]!, (string)(await Json("api/runs"))["runs"]![0]!["cursor"]!);

        // The trainer resumes from step 60.
        string path = Path.Combine(run, "metrics.jsonl");
        File.WriteAllLines(path, File.ReadLines(path).TakeWhile(line => !line.StartsWith("{\"step\":61,", StringComparison.Ordinal)).ToArray());
        JsonNode again = await Json($"api/runs/0/metrics?from={news["cursor"]}");
        Assert.Equal((0, 60), ((int)again["training"]!["keep"]!, again["training"]!["step"]!.AsArray().Count));
    }

    [Fact]
    public async Task StatesAreTold()
    {
        string run = RunFolders.Create(_folder, "tiny", 100), bare = _folder.File("bare");
        Directory.CreateDirectory(bare);
        File.WriteAllText(Path.Combine(bare, "recipe.yaml"), "");
        await Start(run, bare);
        Assert.Equal(["running", "waiting"], await States());
        File.SetLastWriteTimeUtc(Path.Combine(run, "metrics.jsonl"), DateTime.UtcNow.AddMinutes(-5));
        RunFolders.Append(bare, RunFolders.Line(1));
        Assert.Equal(["silent", "running"], await States());
        RunFolders.Append(run, "{\"step\":100,\"done\":true,\"seconds\":30}\n");
        Assert.Equal(["done", "running"], await States());
        // More steps after the end: the run goes on.
        RunFolders.Append(run, RunFolders.Line(101));
        Assert.Equal(["running", "running"], await States());
    }

    [Fact]
    public async Task AFolderOfRunsShowsThoseThatBeginLater()
    {
        RunFolders.Create(_folder, "b", 10);
        Directory.CreateDirectory(_folder.File("c"));
        await Start(_folder.Path);
        Assert.Equal(1, _server!.RunCount);
        RunFolders.Create(_folder, "a", 10);
        Assert.Equal(["b", "a"], (await Json("api/runs"))["runs"]!.AsArray().Select(run => (string)run!["name"]!));
    }

    [Fact]
    public async Task OnlyGetIsServedAndOnlyUnderThisMachinesNames()
    {
        await Start(RunFolders.Create(_folder, "tiny", 10));
        foreach (HttpMethod method in new[] { HttpMethod.Post, HttpMethod.Put, HttpMethod.Delete, HttpMethod.Options, HttpMethod.Head })
            Assert.Equal(HttpStatusCode.MethodNotAllowed, (await Send(method, "api/runs")).StatusCode);
        foreach (string host in new[] { "evil.example", "localhost.evil.example", "192.168.0.1", "127.0.0.1.evil.example" })
            Assert.Equal(HttpStatusCode.BadRequest, (await Send(HttpMethod.Get, "api/runs", host)).StatusCode);
        foreach (string host in new[] { "localhost", "LOCALHOST:9", "127.0.0.1", "[::1]:80" })
            Assert.Equal(HttpStatusCode.OK, (await Send(HttpMethod.Get, "api/runs", host)).StatusCode);
    }

    [Theory]
    [InlineData("localhost", "box.example", false)]
    [InlineData("box.example", "box.example", true)]
    [InlineData("box.example", "192.168.0.1", false)]
    [InlineData("192.168.0.1", "192.168.0.1", true)]
    [InlineData("fe80::1", "[fe80::1]", true)]
    [InlineData("0.0.0.0", "192.168.0.1", true)]
    [InlineData("::", "[fe80::1]", true)]
    [InlineData("0.0.0.0", "evil.example", false)]
    [InlineData("0.0.0.0", "", false)]
    public void HostWidensWhichNamesAreServed(string listensOn, string name, bool allowed) => Assert.Equal(allowed, new WatchGuard(listensOn).Allows(name));

    [Fact]
    public async Task NothingButTheNamedFilesIsServed()
    {
        string run = RunFolders.Create(_folder, "tiny", 10);
        File.WriteAllText(_folder.File("secret.txt"), "secret");
        await Start(run);
        foreach (string path in new[] { "secret.txt", "..%2fsecret.txt", "api/runs/1/metrics", "api/runs/-1/recipe", "api/runs/0/..%2f..%2fsecret.txt", "api/runs/0/metrics.jsonl", "wwwroot/watch/index.html" })
            Assert.Equal(HttpStatusCode.NotFound, (await Send(HttpMethod.Get, path)).StatusCode);
        foreach (string cursor in new[] { "x", "1", "1.", "-1.2", "1.99999999999999999999" })
            Assert.Equal(HttpStatusCode.BadRequest, (await Send(HttpMethod.Get, $"api/runs/0/metrics?from={cursor}")).StatusCode);
        File.Delete(Path.Combine(run, "recipe.yaml"));
        Assert.Equal(HttpStatusCode.NotFound, (await Send(HttpMethod.Get, "api/runs/0/recipe")).StatusCode);
    }

    [Fact]
    public async Task ThePageLoadsNothingFromElsewhere()
    {
        await Start(RunFolders.Create(_folder, "tiny", 10));
        HttpResponseMessage page = await Send(HttpMethod.Get, "");
        Assert.Equal("text/html", page.Content.Headers.ContentType!.MediaType);
        string policy = page.Headers.GetValues("Content-Security-Policy").Single();
        Assert.StartsWith("default-src 'none'; script-src 'self';", policy, StringComparison.Ordinal);
        Assert.DoesNotContain("unsafe", policy, StringComparison.Ordinal);
        foreach ((string file, string type) in new[] { ("watch.js", "text/javascript"), ("chart.js", "text/javascript"), ("watch.css", "text/css"), ("icon.svg", "image/svg+xml") })
        {
            HttpResponseMessage answer = await Send(HttpMethod.Get, file);
            Assert.Equal((HttpStatusCode.OK, type), (answer.StatusCode, answer.Content.Headers.ContentType!.MediaType));
        }
    }

    [Fact]
    public async Task ATakenPortIsOneLine()
    {
        string run = RunFolders.Create(_folder, "tiny", 10);
        using TcpListener other = new(IPAddress.Loopback, 0);
        other.Start();
        int port = ((IPEndPoint)other.LocalEndpoint).Port;
        foreach (string host in new[] { "localhost", "127.0.0.1" })
        {
            InvalidInputException refusal = await Assert.ThrowsAsync<InvalidInputException>(() => WatchServer.StartAsync([run], new WatchOptions { Port = port, Host = host }));
            Assert.Equal($"--port: {port}: another program has this port: give another, or 0 for any that is free", refusal.Message);
        }
    }

    [Fact]
    public void TheVerbSaysWhereThePageIsAndEndsWell()
    {
        string run = RunFolders.Create(_folder, "tiny", 10);
        (int code, string output, string error) = CommandLine.RunInterrupted("watch", run, "--port", "0");
        Assert.Equal((0, ""), (code, error));
        Assert.Matches(@"^watching 1 run at http://localhost:[1-9][0-9]*/ \(Ctrl\+C ends\)\n$", output);
    }

    [Fact]
    public void RefusalsAreOneLine()
    {
        string run = RunFolders.Create(_folder, "tiny", 10), empty = _folder.File("empty");
        Directory.CreateDirectory(empty);
        Refused(1, "missing: run: no such folder", "watch", _folder.File("missing"));
        Refused(1, "metrics.jsonl: run: is a file: name the run's folder", "watch", Path.Combine(run, "metrics.jsonl"));
        Refused(1, "empty: run: holds no metrics.jsonl, and neither does a folder in it", "watch", run, empty);
        Refused(1, "--host: no such host.invalid: is neither an address nor a name that is known", "watch", run, "--host", "no such host.invalid");
        Refused(1, "--host: 203.0.113.1: is no address of this machine", "watch", run, "--host", "203.0.113.1");
        Refused(2, "--port takes a number from 0 to 65535", "watch", run, "--port", "65536");
    }

    private static void Refused(int code, string problem, params string[] args)
    {
        (int ended, string output, string error) = CommandLine.Run(args);
        Assert.Contains(problem, error, StringComparison.Ordinal);
        Assert.Equal((code, "", 1), (ended, output, error.Count(c => c == '\n')));
    }

    private async Task Start(params string[] folders) => _server = await WatchServer.StartAsync(folders, new WatchOptions { Port = 0 });

    private Uri Url(string path) => new(_server!.Address + path);

    private async Task<JsonNode> Json(string path) => JsonNode.Parse(await _client.GetStringAsync(Url(path), TestContext.Current.CancellationToken))!;

    private async Task<IEnumerable<string>> States() => (await Json("api/runs"))["runs"]!.AsArray().Select(run => (string)run!["state"]!);

    private Task<HttpResponseMessage> Send(HttpMethod method, string path, string? host = null)
    {
        HttpRequestMessage request = new(method, Url(path));
        request.Headers.Host = host;
        return _client.SendAsync(request, TestContext.Current.CancellationToken);
    }
}
