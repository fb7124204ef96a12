using System.Diagnostics;

namespace Saltern.Tests;

/// <summary>The npm packages of tests/node: programs that share no code with ours, run by Node.</summary>
internal static class NodePackages
{
    private const string Installed = "node_modules/node-llama-cpp/dist/index.js";
    private static readonly TimeSpan LongestInstall = TimeSpan.FromMinutes(2);
    private static readonly TimeSpan LongestRun = TimeSpan.FromMinutes(20);
    private static readonly Lazy<(string? Folder, string Reason)> Found = new(Find);

    /// <summary>Folder "node_modules"; skips the test, with the reason, where Node or the packages cannot be had.</summary>
    public static string Folder()
    {
        (string? folder, string reason) = Found.Value;
        Assert.SkipWhen(folder is null, reason);
        return folder!;
    }

    /// <summary>Runs a script to its end.</summary>
    /// <returns>What it wrote to its error stream; empty where it ended well.</returns>
    public static string Run(params string[] arguments)
    {
        (int code, string error) = Start("node", LongestRun, ".", arguments);
        return code == 0 ? "" : $"exit code {code}: {error}";
    }

    // Where .ci/run puts them; else npm is asked for them, once a version of the list.
    private static (string? Folder, string Reason) Find()
    {
        DirectoryInfo? root = new(AppContext.BaseDirectory);
        while (root is not null && !File.Exists(Path.Combine(root.FullName, "Saltern.slnx")))
        {
            root = root.Parent;
        }

        if (root is null)
        {
            return (null, "there is no repository around the tests");
        }

        string ready = Path.Combine(root.FullName, "artifacts", "node-runtime");
        if (File.Exists(Path.Combine(ready, Installed)))
        {
            return (Path.Combine(ready, "node_modules"), "");
        }

        try
        {
            string list = Path.Combine(root.FullName, "tests", "node");
            string stamp = Convert.ToHexString(
                System.Security.Cryptography.SHA256.HashData(File.ReadAllBytes(Path.Combine(list, "package-lock.json")))
            )[..12];
            string place = Path.Combine(TestDisk.Lasting, $"saltern-node-{stamp}");
            string error = "";
            if (!File.Exists(Path.Combine(place, Installed)))
            {
                Directory.CreateDirectory(place);
                foreach (string file in Directory.GetFiles(list))
                {
                    File.Copy(file, Path.Combine(place, Path.GetFileName(file)), overwrite: true);
                }

                // Of the runtime's builds only the processor's own is in the list; install scripts would fetch or compile others.
                (_, error) = Start(
                    "npm",
                    LongestInstall,
                    place,
                    "install",
                    "--omit=optional",
                    "--ignore-scripts",
                    "--no-audit",
                    "--no-fund"
                );
            }

            if (File.Exists(Path.Combine(place, Installed)))
            {
                return (Path.Combine(place, "node_modules"), "");
            }

            return (null, $"npm cannot install the packages of tests/node: {error}");
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            return (null, $"Node.js with npm is not on this machine: {e.Message}");
        }
    }

    private static (int Code, string Error) Start(
        string program,
        TimeSpan longest,
        string folder,
        params string[] arguments
    )
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            WorkingDirectory = folder,
            RedirectStandardError = true,
            RedirectStandardOutput = true,
        };
        using Process process = Process.Start(start)!;
        Task<string> output = process.StandardOutput.ReadToEndAsync(CancellationToken.None);
        Task<string> error = process.StandardError.ReadToEndAsync(CancellationToken.None);
        if (!process.WaitForExit(longest))
        {
            process.Kill(entireProcessTree: true);
            return (-1, $"{program} did not end within {longest.TotalSeconds} s");
        }

        Task.WaitAll([output, error], CancellationToken.None);
        return (process.ExitCode, error.Result.TrimEnd());
    }
}
