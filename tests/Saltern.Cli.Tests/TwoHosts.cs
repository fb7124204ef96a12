using System.Diagnostics;

namespace Saltern.Cli.Tests;

/// <summary>Two hosts on one machine: network namespaces with a cable (veth) between them and names of their own. Their addresses exist inside them alone.</summary>
/// <remarks>Needs root and iproute2. Launchers reach the other host by a script in place of ssh. Disk and processes are shared, as over a cluster's file system.</remarks>
internal sealed class TwoHosts : IDisposable
{
    private const string Cable = "veth0";
    private const string Network = "10.77.0.0/24";
    private static readonly string[] Addresses = ["10.77.0.1", "10.77.0.2"];

    // Without them mpirun and its daemon on the other host notice a cut link after minutes, long after the ranks. They have to give up within 11 s, before the ranks speak (docs/cluster.md).
    private static readonly string[] KeepAlive =
    [
        "--mca",
        "oob_tcp_keepalive_time",
        "5",
        "--mca",
        "oob_tcp_keepalive_intvl",
        "2",
        "--mca",
        "oob_tcp_keepalive_probes",
        "3",
    ];
    private readonly string[] _names =
    [
        .. Addresses.Select((_, host) => $"saltern-{Environment.ProcessId}-{(char)('a' + host)}"),
    ];
    private readonly string _agent;

    /// <summary>Makes them, and the script in a folder; skips the test where that is not possible.</summary>
    public TwoHosts(string folder)
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "two hosts in network namespaces need root");
        Assert.SkipUnless(
            File.Exists("/usr/sbin/ip") || File.Exists("/sbin/ip"),
            "two hosts in network namespaces need iproute2 (Debian: apt-get install iproute2)"
        );
        (int code, string words) = Ip("netns", "add", _names[0]);
        Assert.SkipUnless(code == 0, $"this system does not allow network namespaces: {words}");
        try
        {
            Require("netns", "add", _names[1]);
            Require("-n", _names[0], "link", "add", Cable, "type", "veth", "peer", "name", Cable, "netns", _names[1]);
            for (int host = 0; host < _names.Length; host++)
            {
                Require("-n", _names[host], "addr", "add", Addresses[host] + "/24", "dev", Cable);
                Require("-n", _names[host], "link", "set", "lo", "up");
                Require("-n", _names[host], "link", "set", Cable, "up");
            }

            WaitForLink();
            _agent = Path.Combine(folder, "agent.sh");
            File.WriteAllText(
                _agent,
                $$"""
                #!/bin/sh
                # In place of ssh: agent.sh [OPTIONS] ADDRESS COMMAND…
                while [ "$1" != "${1#-}" ]; do shift; done
                case $1 in {{Addresses[0]}}) host={{_names[0]}};; *) host={{_names[1]}};; esac
                shift
                exec ip netns exec $host unshare --uts sh -c "hostname $host; $*"
                """ + "\n"
            );
            Assert.Equal(0, Run("chmod", ["500", _agent]).Code);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Name of a host, 0 or 1.</summary>
    public string Name(int host) => _names[host];

    /// <summary>Processes on both hosts.</summary>
    public int[] Processes() =>
        [
            .. _names
                .SelectMany(name =>
                    Ip("netns", "pids", name).Words.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)
                )
                .Select(id => int.Parse(id, System.Globalization.CultureInfo.InvariantCulture)),
        ];

    /// <summary>What is still there, a line each: process, state, what the kernel waits for and the command; for the error of a test that waited in vain.</summary>
    public string Left() =>
        Run(
            "ps",
            [
                "-o",
                "pid,ppid,stat,wchan:24,etimes,args",
                "-p",
                string.Join(',', Processes().DefaultIfEmpty(Environment.ProcessId)),
            ]
        ).Words;

    /// <summary>Bytes that have come over the cable to the second host.</summary>
    public long BytesReceived() =>
        long.Parse(
            Run("ip", ["netns", "exec", _names[1], "cat", $"/sys/class/net/{Cable}/statistics/rx_bytes"]).Words,
            System.Globalization.CultureInfo.InvariantCulture
        );

    /// <summary>Cuts the link, or mends it.</summary>
    public void SetLink(bool up)
    {
        Require("-n", _names[1], "link", "set", Cable, up ? "up" : "down");
        if (up)
        {
            WaitForLink();
        }
    }

    /// <summary>Starts one rank on each host; the launcher runs on the first.</summary>
    public Process Launch(string launcher, params string[] arguments)
    {
        string hosts = string.Join(',', Addresses);
        string[] launch =
            launcher == "mpirun.openmpi"
                ?
                [
                    launcher,
                    "--mca",
                    "plm_rsh_agent",
                    _agent,
                    "--host",
                    hosts,
                    "--mca",
                    "btl",
                    "tcp,self",
                    "--mca",
                    "btl_tcp_if_include",
                    Network,
                    "--mca",
                    "oob_tcp_if_include",
                    Network,
                    .. KeepAlive,
                    "-x",
                    "TERM=dumb",
                ]
                : [launcher, "-launcher", "rsh", "-launcher-exec", _agent, "-hosts", hosts, "-iface", Cable];
        var start = new ProcessStartInfo(
            "ip",
            [
                "netns",
                "exec",
                _names[0],
                "unshare",
                "--uts",
                "sh",
                "-c",
                "hostname $0; exec \"$@\"",
                _names[0],
                .. launch,
                "-np",
                "2",
                "dotnet",
                SalternProcess.Program,
                .. arguments,
            ]
        )
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        (string Name, string Value)[] variables =
        [
            ("OMPI_ALLOW_RUN_AS_ROOT", "1"),
            ("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1"),
            ("UCX_TLS", "tcp,self"),
            ("UCX_NET_DEVICES", Cable),
            ("FI_PROVIDER", "tcp"), // MPICH would find out that both hosts share memory
        ];
        Array.ForEach(variables, variable => start.Environment[variable.Name] = variable.Value);
        return Process.Start(start)!;
    }

    /// <summary>Ends what is left on both, and what that starts meanwhile.</summary>
    public void EndAll()
    {
        for (int attempt = 0; attempt < 50 && Processes() is { Length: > 0 } left; attempt++)
        {
            Run("kill", ["-KILL", .. left.Select(id => $"{id}")]);
            Thread.Sleep(100);
        }
    }

    /// <summary>Removes both, and ends what is left on them.</summary>
    public void Dispose()
    {
        EndAll();
        Array.ForEach(_names, name => Ip("netns", "del", name));
    }

    // The kernel may tell a second later that a link is up, and MPICH's UCX takes one for absent until then.
    private void WaitForLink() =>
        Assert.True(
            SpinWait.SpinUntil(
                () =>
                    _names.All(name =>
                        Ip("-n", name, "-br", "link", "show", "dev", Cable)
                            .Words.Contains(" UP ", StringComparison.Ordinal)
                    ),
                TimeSpan.FromSeconds(20)
            ),
            "the link did not come up"
        );

    private static void Require(params string[] arguments)
    {
        (int code, string words) = Ip(arguments);
        Assert.True(code == 0, $"ip {string.Join(' ', arguments)}: {words}");
    }

    private static (int Code, string Words) Ip(params string[] arguments) => Run("ip", arguments);

    private static (int Code, string Words) Run(string program, string[] arguments)
    {
        using Process process = Process.Start(
            new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true }
        )!;
        Task<string> error = process.StandardError.ReadToEndAsync();
        string words = process.StandardOutput.ReadToEnd() + error.Result;
        process.WaitForExit();
        return (process.ExitCode, words);
    }
}
