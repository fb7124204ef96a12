using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Saltern.Cli.Tests;

// Metrics go to an OpenTelemetry collector where the environment names one: here to a listener of the test's own.
public class MetricsExportTests(Workspace workspace) : IClassFixture<Workspace>
{
    private const string Endpoint = "OTEL_EXPORTER_OTLP_ENDPOINT";

    [Fact]
    public async Task ARun_SendsItsMetrics_ToTheEndpointOfTheEnvironment()
    {
        int port = FreePort();
        using var listener = new HttpListener();
        listener.Prefixes.Add($"http://127.0.0.1:{port}/");
        listener.Start();
        Task<List<(string Path, string Type, string Body)>> requests = Collect(listener);

        (int code, string output, string error) = Train("metered", $"http://127.0.0.1:{port}");
        listener.Stop();
        Assert.True(code == 0, output + error);
        Assert.Contains($"metrics: also to http://127.0.0.1:{port} (OpenTelemetry)", output, StringComparison.Ordinal);
        Assert.DoesNotContain("did not come", output, StringComparison.Ordinal);
        List<(string Path, string Type, string Body)> all = await requests;
        Assert.NotEmpty(all);
        Assert.All(
            all,
            request => Assert.Equal(("/v1/metrics", "application/x-protobuf"), (request.Path, request.Type))
        );

        // Names travel as they are in Protocol Buffers.
        foreach (
            string name in (string[])
                [
                    "saltern.train.loss",
                    "saltern.valid.loss",
                    "saltern.perf.tokens_per_second",
                    "saltern.step.duration",
                    "baseline",
                    "service.name",
                ]
        )
        {
            Assert.Contains(all, request => request.Body.Contains(name, StringComparison.Ordinal));
        }
    }

    [Fact]
    public void WhereNoCollectorIs_TheRunSaysSo_AndIsDone()
    {
        (int code, string output, string error) = Train("alone", $"http://127.0.0.1:{FreePort()}");
        Assert.True(code == 0, output + error);
        Assert.Contains("The last metrics did not come to", output, StringComparison.Ordinal);
        Assert.True(File.Exists(workspace["alone/result.json"]));
    }

    [Fact]
    public void AnEndpointThatIsNoUrl_IsRefused()
    {
        (int code, _, string error) = Train("refused", "collector:4317");
        Assert.Equal(ExitCode.WrongUsage, code);
        Assert.Contains($"{Endpoint} = collector:4317 is no URL.", error, StringComparison.Ordinal);
        Assert.False(Directory.Exists(workspace["refused"]));
    }

    private (int Code, string Output, string Error) Train(string name, string endpoint)
    {
        var start = new ProcessStartInfo("dotnet") { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (
            string argument in (string[])
                [SalternProcess.Program, "train", workspace["baseline.yaml"], "--out", workspace[name]]
        )
        {
            start.ArgumentList.Add(argument);
        }

        start.Environment[Endpoint] = endpoint;
        start.Environment["OTEL_EXPORTER_OTLP_PROTOCOL"] = "http/protobuf";
        using Process process = Process.Start(start)!;
        Task<string> error = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        string output = process.StandardOutput.ReadToEnd();
        Assert.True(process.WaitForExit(Wait.LongestRun), "the program did not end");
        return (process.ExitCode, output, error.Result);
    }

    private static async Task<List<(string Path, string Type, string Body)>> Collect(HttpListener listener)
    {
        List<(string, string, string)> requests = [];
        try
        {
            while (true)
            {
                HttpListenerContext context = await listener.GetContextAsync();
                using var body = new MemoryStream();
                await context.Request.InputStream.CopyToAsync(body);
                requests.Add(
                    (
                        context.Request.Url!.AbsolutePath,
                        context.Request.ContentType ?? "",
                        Encoding.Latin1.GetString(body.ToArray())
                    )
                );
                context.Response.ContentType = "application/x-protobuf";
                context.Response.Close();
            }
        }
        catch (Exception e) when (e is HttpListenerException or ObjectDisposedException)
        {
            // The test stopped it.
        }

        return requests;
    }

    private static int FreePort()
    {
        using var socket = new TcpListener(IPAddress.Loopback, 0);
        socket.Start();
        return ((IPEndPoint)socket.LocalEndpoint).Port;
    }
}
