using System.Net;

namespace Saltern.Watch;

/// <summary>What to watch, and who may.</summary>
public sealed record WatchOptions
{
    /// <summary>Port where none is asked for.</summary>
    public const int DefaultPort = 5077;

    /// <summary>Run folders, as from <see cref="RunFolders.Find"/>.</summary>
    public required IReadOnlyList<string> Runs { get; init; }

    /// <summary>Address to listen on; loopback means this machine's users alone.</summary>
    public IPAddress Address { get; init; } = IPAddress.Loopback;

    /// <summary>Port; 0 takes any free one.</summary>
    public int Port { get; init; } = DefaultPort;

    /// <summary>What a browser has to bring along; null for none, on loopback only.</summary>
    public string? Token { get; init; }

    /// <summary>Time between two readings of the folders.</summary>
    public TimeSpan Interval { get; init; } = TimeSpan.FromSeconds(2);
}
