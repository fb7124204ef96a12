using System.Diagnostics;

namespace Saltern.Cli.Terminal;

/// <summary>One line of progress: redrawn in place on a terminal, printed now and then elsewhere.</summary>
public sealed class StatusLine : IDisposable
{
    private static readonly TimeSpan TerminalInterval = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan PlainInterval = TimeSpan.FromSeconds(15);
    private readonly Output _output;
    private readonly Lock _lock = new();
    private long _last = Stopwatch.GetTimestamp();
    private int _width;

    /// <summary>Starts an empty line.</summary>
    public StatusLine(Output output) => _output = output;

    /// <summary>Shows a text, unless the last one is too fresh.</summary>
    public void Show(Func<string> text)
    {
        lock (_lock)
        {
            TimeSpan interval = _output.IsInteractive ? TerminalInterval : PlainInterval;
            if (Stopwatch.GetElapsedTime(_last) < interval)
            {
                return;
            }

            _last = Stopwatch.GetTimestamp();
            if (_output.IsInteractive)
            {
                string line = Cut(text());
                _output.Lines.Write('\r' + line.PadRight(_width));
                _width = line.Length;
            }
            else
            {
                _output.Line(text());
            }
        }
    }

    /// <summary>Prints a line that stays, above the progress.</summary>
    public void Keep(string text)
    {
        lock (_lock)
        {
            Clear();
            _output.Line(text);
        }
    }

    /// <summary>Removes the progress.</summary>
    public void Dispose()
    {
        lock (_lock)
        {
            Clear();
        }
    }

    private static string Cut(string text)
    {
        int columns = Console.BufferWidth;
        return columns > 1 && text.Length >= columns ? text[..(columns - 1)] : text;
    }

    private void Clear()
    {
        if (_output.IsInteractive && _width > 0)
        {
            _output.Lines.Write('\r' + new string(' ', _width) + '\r');
            _width = 0;
        }
    }
}
