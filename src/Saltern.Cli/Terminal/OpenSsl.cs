using System.Runtime.InteropServices;

namespace Saltern.Cli.Terminal;

/// <summary>The one library of the system that .NET asks for only when it is needed: without it the first checksum would end the process with a line that says nothing of a remedy.</summary>
internal static class OpenSsl
{
    // .NET's own list, newest first.
    private static readonly string[] Names = ["libssl.so.3", "libssl.so.1.1"];

    /// <summary>What to tell the user; null where it is there.</summary>
    public static string? Missing
    {
        get
        {
            if (Names.Any(name => NativeLibrary.TryLoad(name, out _)))
            {
                return null;
            }

            return $"OpenSSL is missing on this machine: neither {string.Join(" nor ", Names)} is found, "
                + "and .NET computes checksums with it. Install it; on Debian and Ubuntu: apt-get install libssl3";
        }
    }
}
