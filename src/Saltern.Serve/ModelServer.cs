using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Saltern.Serve;

/// <summary>The local endpoint of <c>saltern serve</c>.</summary>
public sealed class ModelServer : IAsyncDisposable
{
    private const long LargestRequest = 16 << 20; // bytes: a window of ids, many times over

    private readonly WebApplication _application;
    private readonly CompletionEngine _engine;

    private ModelServer(WebApplication application, CompletionEngine engine, Uri address) =>
        (_application, _engine, Address) = (application, engine, address);

    /// <summary>What clients take for their base address, <c>/v1</c> included.</summary>
    public Uri Address { get; }

    /// <summary>Starts to listen.</summary>
    /// <param name="model">Owned by the caller; nothing else may use it meanwhile.</param>
    /// <param name="options">Who may ask.</param>
    /// <exception cref="ConfigurationException">Another address than loopback without a token.</exception>
    /// <exception cref="IOException">The port is in use, or the address is not this machine's.</exception>
    internal static async Task<ModelServer> StartAsync(ServedModel model, ServeOptions options)
    {
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
                kestrel.Limits.MaxRequestBodySize = LargestRequest;
                kestrel.Listen(options.Address, options.Port);
            });
        // A port in use is told by the caller, in a sentence.
        builder
            .Logging.SetMinimumLevel(LogLevel.Error)
            .AddFilter("Microsoft.Extensions.Hosting", LogLevel.Critical)
            .AddConsole(console => console.LogToStandardErrorThreshold = LogLevel.Trace);
        builder.Services.AddRoutingCore();
        builder.Services.AddSingleton(options);
        WebApplication application = builder.Build();
        application.UseMiddleware<ServeGuard>();
        application.UseRouting();
        var engine = new CompletionEngine(model);
        new Endpoints(model, engine, new ApiJson(model, options.ModelName)).Map(application);
        try
        {
            await application.StartAsync().ConfigureAwait(false);
        }
        catch
        {
            await engine.DisposeAsync().ConfigureAwait(false);
            await application.DisposeAsync().ConfigureAwait(false);
            throw;
        }

        string bound = application
            .Services.GetRequiredService<IServer>()
            .Features.Get<IServerAddressesFeature>()!
            .Addresses.First();
        var address = new UriBuilder(bound) { Path = "/v1" };
        if (options.Address.Equals(IPAddress.Any) || options.Address.Equals(IPAddress.IPv6Any))
        {
            address.Host = Dns.GetHostName();
        }

        return new ModelServer(application, engine, address.Uri);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        // Answers that are being written end with the model; they are not waited for.
        await _engine.DisposeAsync().ConfigureAwait(false);
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(1));
        await _application.StopAsync(patience.Token).ConfigureAwait(false);
        await _application.DisposeAsync().ConfigureAwait(false);
    }
}
