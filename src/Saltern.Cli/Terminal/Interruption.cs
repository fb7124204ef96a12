using System.Globalization;
using System.Runtime.InteropServices;

namespace Saltern.Cli.Terminal;

/// <summary>Ctrl-C, SIGTERM and the end of the terminal (SIGHUP) ask for a clean end; a second one ends the program at once.</summary>
public sealed class Interruption : IDisposable
{
    private readonly CancellationTokenSource _source = new();
    private readonly PosixSignalRegistration[] _registrations;

    private readonly Func<string>? _doing;

    /// <summary>Starts to listen.</summary>
    /// <param name="doing">What one of several ranks is doing: a launcher that lost another rank sends this signal too. Null for a process that runs alone.</param>
    public Interruption(Func<string>? doing = null)
    {
        _doing = doing;
        PosixSignal[] signals = [PosixSignal.SIGINT, PosixSignal.SIGTERM, PosixSignal.SIGHUP];
        _registrations =
        [
            .. signals
                .Where(signal => signal != PosixSignal.SIGHUP || !HangUpIsIgnored())
                .Select(signal => PosixSignalRegistration.Create(signal, Handle)),
        ];
    }

    /// <summary>Cancelled by the first signal.</summary>
    public CancellationToken Token => _source.Token;

    /// <inheritdoc/>
    public void Dispose()
    {
        Array.ForEach(_registrations, registration => registration.Dispose());
        _source.Dispose();
    }

    // As nohup does it: the work is to outlive its terminal.
    private static bool HangUpIsIgnored()
    {
        const string Ignored = "SigIgn:";
        try
        {
            string? mask = File.ReadLines("/proc/self/status")
                .FirstOrDefault(line => line.StartsWith(Ignored, StringComparison.Ordinal));
            return ulong.TryParse(
                    mask?[Ignored.Length..].Trim(),
                    NumberStyles.HexNumber,
                    CultureInfo.InvariantCulture,
                    out ulong signals
                )
                && (signals & 1) != 0; // bit 0 is signal 1
        }
        catch (IOException)
        {
            return false;
        }
    }

    private void Handle(PosixSignalContext context)
    {
        if (_source.IsCancellationRequested)
        {
            return;
        }

        context.Cancel = true;
        string doing = _doing is null ? "" : " " + _doing();
        Console.Error.WriteLine("Ending as soon as the work at hand is safe; once more ends at once." + doing);
        _source.Cancel();
    }
}
