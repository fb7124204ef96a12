using System.Net;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Http;

namespace Saltern.Watch;

/// <summary>Lets in who may look, and only what reads.</summary>
/// <remarks>
/// On loopback every user of this machine may look, but no web page from elsewhere: a foreign name that resolves to 127.0.0.1 is refused by the host, and another page's
/// script by its origin. With a token, the first request brings it in the address and gets a cookie.
/// </remarks>
internal sealed class AccessGuard(RequestDelegate next, WatchOptions options)
{
    /// <summary>Name of the token in the address.</summary>
    public const string TokenName = "token";

    private const string CookieName = "saltern-watch";

    /// <summary>Answers with an error, or goes on.</summary>
    public Task InvokeAsync(HttpContext context)
    {
        HttpRequest request = context.Request;
        context.Response.Headers.ContentSecurityPolicy =
            "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: "
            + "blob:; connect-src 'self'; base-uri 'self'; form-action 'none'; frame-ancestors 'none'";
        context.Response.Headers.XContentTypeOptions = "nosniff";
        context.Response.Headers["Referrer-Policy"] = "no-referrer";

        // The page's connection negotiates by POST; nothing else does more than read.
        bool reads = HttpMethods.IsGet(request.Method) || HttpMethods.IsHead(request.Method);
        if (!reads && !request.Path.StartsWithSegments("/_blazor") && !(HttpMethods.IsConnect(request.Method)))
        {
            return Refuse(context, StatusCodes.Status405MethodNotAllowed, "This page only reads.");
        }

        if (IPAddress.IsLoopback(options.Address) && !IsLoopbackName(request.Host.Host))
        {
            return Refuse(
                context,
                StatusCodes.Status403Forbidden,
                $"Open http://{options.Address}:{context.Connection.LocalPort} instead: other names of this machine are not served."
            );
        }

        if (
            request.Headers.Origin is [{ } origin]
            && !(Uri.TryCreate(origin, UriKind.Absolute, out Uri? from) && from.Authority == request.Host.Value)
        )
        {
            return Refuse(context, StatusCodes.Status403Forbidden, "Another page's script may not look here.");
        }

        if (options.Token is not { Length: > 0 } token)
        {
            return next(context);
        }

        if (request.Query[TokenName] is [{ } given] && Same(given, token))
        {
            context.Response.Cookies.Append(
                CookieName,
                token,
                new CookieOptions { HttpOnly = true, SameSite = SameSiteMode.Strict }
            );
            // Away from the address line, where it would be copied and photographed.
            context.Response.Redirect("/");
            return Task.CompletedTask;
        }

        if (request.Cookies[CookieName] is { } cookie && Same(cookie, token))
        {
            return next(context);
        }

        return Refuse(
            context,
            StatusCodes.Status401Unauthorized,
            "Open the address that `saltern watch` printed, with its token."
        );
    }

    private static bool IsLoopbackName(string host) =>
        host.Equals("localhost", StringComparison.OrdinalIgnoreCase)
        || (IPAddress.TryParse(host.Trim('[', ']'), out IPAddress? address) && IPAddress.IsLoopback(address));

    private static bool Same(string given, string token) =>
        CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(given), Encoding.UTF8.GetBytes(token));

    private static Task Refuse(HttpContext context, int status, string message)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = "text/plain; charset=utf-8";
        return context.Response.WriteAsync(message, context.RequestAborted);
    }
}
