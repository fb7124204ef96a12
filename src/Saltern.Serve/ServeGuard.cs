using System.Net;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Http;

namespace Saltern.Serve;

/// <summary>Lets in who may ask.</summary>
/// <remarks>
/// On loopback every user of this machine may ask, but no web page from elsewhere: a foreign name that resolves to 127.0.0.1 is refused by the host, and a page's script by its
/// origin. Elsewhere the token is the API key that clients send.
/// </remarks>
internal sealed class ServeGuard(RequestDelegate next, ServeOptions options)
{
    /// <summary>Answers with an error, or goes on.</summary>
    public Task InvokeAsync(HttpContext context)
    {
        HttpRequest request = context.Request;
        context.Response.Headers.XContentTypeOptions = "nosniff";
        if (IPAddress.IsLoopback(options.Address) && !IsLoopbackName(request.Host.Host))
        {
            return Endpoints.Refuse(
                context,
                new ApiException(
                    403,
                    $"Ask http://{options.Address}:{context.Connection.LocalPort} instead: other names of this machine are not served."
                )
            );
        }

        if (
            request.Headers.Origin is [{ } origin]
            && !(Uri.TryCreate(origin, UriKind.Absolute, out Uri? from) && from.Authority == request.Host.Value)
        )
        {
            return Endpoints.Refuse(context, new ApiException(403, "Another page's script may not ask here."));
        }

        if (
            options.Token is not { Length: > 0 } token
            || Same(request.Headers.Authorization.ToString(), "Bearer " + token)
        )
        {
            return next(context);
        }

        return Endpoints.Refuse(
            context,
            new ApiException(401, "Send the key that 'saltern serve' printed, as 'Authorization: Bearer KEY'.")
        );
    }

    private static bool IsLoopbackName(string host) =>
        host.Equals("localhost", StringComparison.OrdinalIgnoreCase)
        || (IPAddress.TryParse(host.Trim('[', ']'), out IPAddress? address) && IPAddress.IsLoopback(address));

    private static bool Same(string given, string wanted) =>
        CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(given), Encoding.UTF8.GetBytes(wanted));
}
