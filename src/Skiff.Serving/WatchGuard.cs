using System.Net;
using Microsoft.AspNetCore.Http;

namespace Skiff.Serving;

/// <summary>
/// Lets only GET through, only under this machine's names (a foreign page that points its own name at this address, "DNS
/// rebinding", could else read the runs), and tells the browser to load nothing from elsewhere.
/// </summary>
internal sealed class WatchGuard(string host)
{
    private const string ContentPolicy =
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

    /// <summary>Whether <paramref name="address"/> means every address of this machine.</summary>
    public static bool IsEveryAddress(string address) => IPAddress.TryParse(address, out IPAddress? ip) && (ip.Equals(IPAddress.Any) || ip.Equals(IPAddress.IPv6Any));

    /// <summary>Answers what is not let through; passes on the rest.</summary>
    public async Task Check(HttpContext context, RequestDelegate next)
    {
        IHeaderDictionary headers = context.Response.Headers;
        headers.ContentSecurityPolicy = ContentPolicy;
        headers.XContentTypeOptions = "nosniff";
        headers["Referrer-Policy"] = "no-referrer";
        headers["Cross-Origin-Resource-Policy"] = "same-origin";
        headers.CacheControl = "no-store";
        if (!Allows(context.Request.Host.Host))
        {
            await Refuse(context, StatusCodes.Status400BadRequest, "Host: this name is not served: use an address of this machine, or start 'skiff watch' with --host and the name");
        }
        else if (!HttpMethods.IsGet(context.Request.Method))
        {
            headers.Allow = "GET";
            await Refuse(context, StatusCodes.Status405MethodNotAllowed, "only GET is served");
        }
        else
        {
            await next(context);
        }
    }

    /// <summary>Answers with a line of text.</summary>
    public static Task Refuse(HttpContext context, int status, string problem)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = "text/plain; charset=utf-8";
        return context.Response.WriteAsync(problem + "\n", context.RequestAborted);
    }

    /// <summary>Whether a request may call this machine by a name. An address is no name, so nobody else can point it here.</summary>
    internal bool Allows(string name)
    {
        if (Same(name, "localhost") || Same(name, host) || Same(name, $"[{host}]"))
            return true;
        bool every = IsEveryAddress(host);
        if (IPAddress.TryParse(name, out IPAddress? ip))
            return every || IPAddress.IsLoopback(ip);
        return every && Same(name, Dns.GetHostName());
    }

    private static bool Same(string a, string b) => string.Equals(a, b, StringComparison.OrdinalIgnoreCase);
}
