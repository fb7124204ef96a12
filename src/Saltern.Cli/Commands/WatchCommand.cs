using System.CommandLine;
using System.Net;
using Saltern.Cli.Terminal;
using Saltern.Watch;

namespace Saltern.Cli.Commands;

/// <summary><c>saltern watch RUN…</c>: runs in the browser, live or finished.</summary>
public static class WatchCommand
{
    /// <summary>The verb.</summary>
    public static Command Create()
    {
        var runs = new Argument<string[]>("RUN")
        {
            Description = "Run folders, or folders that hold run folders, such as a study's.",
            Arity = ArgumentArity.OneOrMore,
        };
        var listen = new ListenOptions(port: 5077, "a token, which the printed address contains");
        var command = new Verb(
            "watch",
            "Show runs in the browser, live or finished; reads only their folders.",
            ["saltern watch runs/core-baseline runs/core-salt"]
        )
        {
            runs,
        };
        listen.AddTo(command);
        command.SetAction(parsed =>
            CommandRunner.Run(
                json: false,
                (console, interrupted) =>
                    Serve(parsed.GetRequiredValue(runs), listen.Read(parsed), console, interrupted)
                        .GetAwaiter()
                        .GetResult()
            )
        );
        return command;
    }

    private static async Task<int> Serve(
        string[] paths,
        (IPAddress Address, int Port, string? Token) listen,
        Output console,
        CancellationToken interrupted
    )
    {
        var options = new WatchOptions
        {
            Runs = RunFolders.Find(paths),
            Address = listen.Address,
            Port = listen.Port,
            Token = listen.Token,
        };
        WatchServer server = await ListenOptions.StartAsync(
            () => WatchServer.StartAsync(options),
            listen.Address,
            listen.Port
        );
        await using (server)
        {
            string runs = options.Runs.Count == 1 ? "run" : "runs";
            console.Line($"watching {options.Runs.Count} {runs}: {server.Address}");
            if (listen.Token is not null)
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
