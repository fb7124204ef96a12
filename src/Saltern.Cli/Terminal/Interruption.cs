using System.Runtime.InteropServices;

namespace Saltern.Cli.Terminal;

/// <summary>Ctrl-C and SIGTERM ask for a clean end; a second one ends the program at once.</summary>
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
        _registrations =
        [
            PosixSignalRegistration.Create(PosixSignal.SIGINT, Handle),
            PosixSignalRegistration.Create(PosixSignal.SIGTERM, Handle),
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
