using System.Reflection;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Net.Http.Headers;

namespace Saltern.Watch;

/// <summary>Scripts and style of the page, out of this assembly: they are there however the program was installed.</summary>
internal static class EmbeddedFiles
{
    /// <summary>Serves each under its resource's name.</summary>
    public static void Map(IEndpointRouteBuilder routes)
    {
        Assembly assembly = typeof(EmbeddedFiles).Assembly;
        // Names a build: a browser asks again and gets "not modified".
        var tag = new EntityTagHeaderValue($"\"{assembly.ManifestModule.ModuleVersionId:N}\"");
        foreach (string name in assembly.GetManifestResourceNames())
        {
            bool isStyle = name.EndsWith(".css", StringComparison.Ordinal);
            string type = isStyle ? "text/css; charset=utf-8" : "text/javascript; charset=utf-8";
            routes.MapGet(
                "/" + name,
                (HttpContext context) =>
                {
                    context.Response.Headers.CacheControl = "no-cache";
                    return Results.Stream(assembly.GetManifestResourceStream(name)!, type, entityTag: tag);
                }
            );
        }
    }
}
