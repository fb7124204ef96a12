using System.CommandLine;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using Saltern.Cli.Terminal;
using Saltern.Watch;

namespace Saltern.Cli.Commands;

/// <summary><c>saltern watch RUN…</c>: runs in the browser, live or finished.</summary>
public static class WatchCommand
{
    private const int TokenBytes = 16;

    /// <summary>The verb.</summary>
    public static Command Create()
    {
        var runs = new Argument<string[]>("RUN")
        {
            Description = "Run folders, or folders that hold run folders, such as a study's.",
            Arity = ArgumentArity.OneOrMore,
        };
        // The number again, not the constant: reading that would load the web parts for every verb's parser.
        var port = new Option<int>("--port")
        {
            Description = "Port to listen on; 0 takes any free one.",
            DefaultValueFactory = _ => 5077,
        };
        var host = new Option<string>("--host")
        {
            Description =
                "IP address to listen on. Any other than loopback gets a token, which the printed address contains.",
            DefaultValueFactory = _ => "127.0.0.1",
        };
        var command = new Verb(
            "watch",
            "Show runs in the browser, live or finished; reads only their folders.",
            ["saltern watch runs/core-baseline runs/core-salt"]
        )
        {
            runs,
            port,
            host,
        };
        command.SetAction(parsed =>
            CommandRunner.Run(
                json: false,
                (console, interrupted) =>
                    Serve(
                            parsed.GetRequiredValue(runs),
                            parsed.GetRequiredValue(host),
                            parsed.GetValue(port),
                            console,
                            interrupted
                        )
                        .GetAwaiter()
                        .GetResult()
            )
        );
        return command;
    }

    private static async Task<int> Serve(
        string[] paths,
        string host,
        int port,
        Output console,
        CancellationToken interrupted
    )
    {
        if (!IPAddress.TryParse(host == "localhost" ? "127.0.0.1" : host, out IPAddress? address))
        {
            throw new ConfigurationException(
                $"--host = {host} is no IP address. Use 127.0.0.1 for this machine alone, or 0.0.0.0 for every address it has."
            );
        }

        if (port is < 0 or > IPEndPoint.MaxPort)
        {
            throw new ConfigurationException($"--port = {port} is outside [0, {IPEndPoint.MaxPort}].");
        }

        bool isOpen = !IPAddress.IsLoopback(address);
        var options = new WatchOptions
        {
            Runs = RunFolders.Find(paths),
            Address = address,
            Port = port,
        };
        if (isOpen)
        {
            options = options with { Token = RandomNumberGenerator.GetHexString(2 * TokenBytes, lowercase: true) };
        }

        WatchServer server;
        try
        {
            server = await WatchServer.StartAsync(options);
        }
        catch (Exception e) when (e is IOException or SocketException)
        {
            throw new ConfigurationException(
                $"Cannot listen on {address}, port {port}: {e.Message} Choose another with --port, or --port 0 for any free one."
            );
        }

        await using (server)
        {
            string runs = options.Runs.Count == 1 ? "run" : "runs";
            console.Line($"watching {options.Runs.Count} {runs}: {server.Address}");
            if (isOpen)
            {
                console.Line(
                    "Whoever has this address may look. "
                        + "It travels unencrypted; between sites use an SSH tunnel to 127.0.0.1 instead."
                );
            }

            console.Line("Ctrl-C ends.");
            // The pages are served by other threads until the reader has seen enough.
            interrupted.WaitHandle.WaitOne();
        }

        return ExitCode.Done;
    }
}
