using System.CommandLine;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;

namespace Saltern.Cli.Commands;

/// <summary>Where a verb listens: <c>--host</c> and <c>--port</c>, and the secret that any address but loopback gets.</summary>
internal sealed class ListenOptions
{
    private const int SecretBytes = 16;

    private readonly Option<string> _host;
    private readonly Option<int> _port;

    /// <summary>The two options.</summary>
    /// <param name="port">Where nothing else is said. A number, not the server's constant: reading that would load the web parts for every verb's parser.</param>
    /// <param name="secret">What another address than loopback gets, as the end of the help's sentence.</param>
    public ListenOptions(int port, string secret)
    {
        _port = new Option<int>("--port")
        {
            Description = "Port to listen on; 0 takes any free one.",
            DefaultValueFactory = _ => port,
        };
        _host = new Option<string>("--host")
        {
            Description = $"IP address to listen on. Any other than loopback gets {secret}.",
            DefaultValueFactory = _ => "127.0.0.1",
        };
    }

    /// <summary>Puts them into a verb's help.</summary>
    public void AddTo(Command command)
    {
        command.Add(_port);
        command.Add(_host);
    }

    /// <summary>What was given.</summary>
    /// <returns>Address and port to listen on; the secret in hexadecimal, null on loopback.</returns>
    /// <exception cref="ConfigurationException">One of them is no address or no port.</exception>
    public (IPAddress Address, int Port, string? Secret) Read(ParseResult parsed)
    {
        string host = parsed.GetRequiredValue(_host);
        if (!IPAddress.TryParse(host == "localhost" ? "127.0.0.1" : host, out IPAddress? address))
        {
            throw new ConfigurationException(
                $"--host = {host} is no IP address. Use 127.0.0.1 for this machine alone, or 0.0.0.0 for every address it has."
            );
        }

        int port = parsed.GetValue(_port);
        if (port is < 0 or > IPEndPoint.MaxPort)
        {
            throw new ConfigurationException($"--port = {port} is outside [0, {IPEndPoint.MaxPort}].");
        }

        bool isOpen = !IPAddress.IsLoopback(address);
        return (address, port, isOpen ? RandomNumberGenerator.GetHexString(2 * SecretBytes, lowercase: true) : null);
    }

    /// <summary>Starts a server there.</summary>
    /// <exception cref="ConfigurationException">It cannot listen there.</exception>
    public static async Task<T> StartAsync<T>(Func<Task<T>> start, IPAddress address, int port)
    {
        try
        {
            return await start();
        }
        catch (Exception e) when (e is IOException or SocketException)
        {
            throw new ConfigurationException(
                $"Cannot listen on {address}, port {port}: {e.Message} Choose another with --port, or --port 0 for any free one."
            );
        }
    }
}
