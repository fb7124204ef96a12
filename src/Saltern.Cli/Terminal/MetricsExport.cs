using OpenTelemetry;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;

namespace Saltern.Cli.Terminal;

/// <summary>Sends the measurements of runs to an OpenTelemetry collector, where the environment names one, as every program with OpenTelemetry does.</summary>
/// <remarks>Protocol, headers, interval (a minute) and names are the standard's other variables: <c>OTEL_EXPORTER_OTLP_PROTOCOL</c>, <c>OTEL_METRIC_EXPORT_INTERVAL</c>, <c>OTEL_SERVICE_NAME</c>.</remarks>
internal sealed class MetricsExport : IDisposable
{
    private const string Meter = "Saltern";

    private static readonly string[] EndpointVariables =
    [
        "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
        "OTEL_EXPORTER_OTLP_ENDPOINT",
    ];

    // What is left at the end must not hold a finished run up for long.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    private readonly Output _console;
    private readonly string _endpoint;
    private readonly MeterProvider _provider;

    private MetricsExport(Output console, string endpoint)
    {
        (_console, _endpoint) = (console, endpoint);
        ResourceBuilder resource = ResourceBuilder.CreateDefault();
        if (Of("OTEL_SERVICE_NAME") is null)
        {
            resource.AddService("saltern", autoGenerateServiceInstanceId: false);
        }

        _provider = Sdk.CreateMeterProviderBuilder()
            .SetResourceBuilder(resource)
            .AddMeter(Meter)
            .AddOtlpExporter()
            .Build();
        console.Line($"metrics: also to {endpoint} (OpenTelemetry)");
    }

    /// <summary>Begins, where the environment names an endpoint.</summary>
    /// <param name="console">Told where metrics go, and if they did not come there.</param>
    /// <returns>Sends the last ones when it is disposed; null where nothing is asked for.</returns>
    /// <exception cref="ConfigurationException">The endpoint is no URL.</exception>
    public static MetricsExport? Start(Output console)
    {
        string? variable = EndpointVariables.FirstOrDefault(name => Of(name) is not null);
        if (
            variable is null
            || string.Equals(Of("OTEL_SDK_DISABLED"), "true", StringComparison.OrdinalIgnoreCase)
            || Of("OTEL_METRICS_EXPORTER") == "none"
        )
        {
            return null;
        }

        string endpoint = Of(variable)!;
        if (!Uri.TryCreate(endpoint, UriKind.Absolute, out Uri? url) || url.Scheme is not ("http" or "https"))
        {
            throw new ConfigurationException(
                $"{variable} = {endpoint} is no URL. Give one such as http://localhost:4317, or unset the variable."
            );
        }

        return new MetricsExport(console, endpoint);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (!_provider.ForceFlush((int)Patience.TotalMilliseconds))
        {
            _console.Line(
                $"The last metrics did not come to {_endpoint}: is a collector there, and does it speak "
                    + $"{Of("OTEL_EXPORTER_OTLP_PROTOCOL") ?? "grpc (OTEL_EXPORTER_OTLP_PROTOCOL)"}? The run has them in metrics.jsonl."
            );
        }

        _provider.Dispose();
    }

    private static string? Of(string variable) =>
        Environment.GetEnvironmentVariable(variable) is { Length: > 0 } value ? value : null;
}
