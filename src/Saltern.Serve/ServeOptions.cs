using System.Net;

namespace Saltern.Serve;

/// <summary>What to serve, and who may ask.</summary>
public sealed record ServeOptions
{
    /// <summary>Port where none is asked for.</summary>
    public const int DefaultPort = 8077;

    /// <summary>What answers call the model.</summary>
    public required string ModelName { get; init; }

    /// <summary>Address to listen on; loopback means this machine's users alone.</summary>
    public IPAddress Address { get; init; } = IPAddress.Loopback;

    /// <summary>Port; 0 takes any free one.</summary>
    public int Port { get; init; } = DefaultPort;

    /// <summary>What a client has to bring along as its API key; null for none, on loopback only.</summary>
    public string? Token { get; init; }
}
