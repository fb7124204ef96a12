using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Saltern.Watch.Components;

namespace Saltern.Watch;

/// <summary>The local web server of <c>saltern watch</c>.</summary>
public sealed class WatchServer : IAsyncDisposable
{
    private readonly WebApplication _application;

    private WatchServer(WebApplication application, Uri address) => (_application, Address) = (application, address);

    /// <summary>What to open in a browser, the token included.</summary>
    public Uri Address { get; }

    /// <summary>Starts to listen.</summary>
    /// <param name="options">What to watch, and who may.</param>
    /// <exception cref="ConfigurationException">Another address than loopback without a token.</exception>
    /// <exception cref="IOException">The port is in use, or the address is not this machine's.</exception>
    public static async Task<WatchServer> StartAsync(WatchOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (!IPAddress.IsLoopback(options.Address) && string.IsNullOrEmpty(options.Token))
        {
            throw new ConfigurationException(
                $"{options.Address} can be reached from other machines, so a token is needed. Give one, or listen on 127.0.0.1."
            );
        }

        // Empty: no settings from files of the working folder or from the environment may open another address.
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder
            .WebHost.UseKestrelCore()
            .ConfigureKestrel(kestrel =>
            {
                kestrel.AddServerHeader = false;
                kestrel.Listen(options.Address, options.Port);
            });
        // A port in use is told by the caller, in a sentence.
        builder
            .Logging.SetMinimumLevel(LogLevel.Error)
            .AddFilter("Microsoft.Extensions.Hosting", LogLevel.Critical)
            .AddConsole(console => console.LogToStandardErrorThreshold = LogLevel.Trace);
        builder.Services.AddRoutingCore();
        // Keys that protect the page's own state live as long as the server: nothing is written to the user's folder.
        builder.Services.AddDataProtection().UseEphemeralDataProtectionProvider();
        builder.Services.AddRazorComponents().AddInteractiveServerComponents();
        builder
            .Services.AddSingleton(options)
            .AddSingleton<RunBoard>()
            .AddHostedService(services => services.GetRequiredService<RunBoard>());

        WebApplication application = builder.Build();
        application.UseMiddleware<AccessGuard>();
        application.UseRouting();
        application.UseAntiforgery();
        EmbeddedFiles.Map(application);
        application.MapRazorComponents<WatchPage>().AddInteractiveServerRenderMode();
        try
        {
            await application.StartAsync().ConfigureAwait(false);
        }
        catch
        {
            await application.DisposeAsync().ConfigureAwait(false);
            throw;
        }

        string bound = application
            .Services.GetRequiredService<IServer>()
            .Features.Get<IServerAddressesFeature>()!
            .Addresses.First();
        var address = new UriBuilder(bound);
        if (options.Address.Equals(IPAddress.Any) || options.Address.Equals(IPAddress.IPv6Any))
        {
            address.Host = Dns.GetHostName();
        }

        address.Query = options.Token is { } token ? $"{AccessGuard.TokenName}={token}" : "";
        return new WatchServer(application, address.Uri);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        // Open pages hold their connection; they are not waited for.
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(1));
        await _application.StopAsync(patience.Token).ConfigureAwait(false);
        await _application.DisposeAsync().ConfigureAwait(false);
    }
}
