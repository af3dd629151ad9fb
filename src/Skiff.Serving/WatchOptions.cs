namespace Skiff.Serving;

/// <summary>Where the page of training runs is served.</summary>
public sealed record WatchOptions
{
    /// <summary>The TCP port; 0 takes any that is free.</summary>
    public int Port { get; init; } = 8080;

    /// <summary>
    /// The name or address to listen on. "localhost" is this machine alone; "0.0.0.0" and "::" are all its addresses, which
    /// shows the runs to the whole network.
    /// </summary>
    public string Host { get; init; } = "localhost";
}
