using Saltern.Verdicts;

namespace Saltern.Cli.Terminal;

/// <summary>Where a command's words go: results to standard output, or to standard error where that is kept for JSON.</summary>
/// <remarks>Colours and lines that are redrawn, by carriage return alone, are for terminals; NO_COLOR (no-color.org) switches the colours off.</remarks>
public sealed class Output
{
    private readonly bool _hasColours;

    // Of ECMA-48, SGR: those that a light and a dark ground both show.
    private enum Colour
    {
        Bold = 1,
        Red = 31,
        Yellow = 33,
        Cyan = 36,
    }

    /// <summary>Decides by whether the command was asked for JSON.</summary>
    public Output(bool json)
    {
        IsJson = json;
        HoldsJson |= json;
        (TextWriter lines, bool redirected) = json
            ? (Console.Error, Console.IsErrorRedirected)
            : (Console.Out, Console.IsOutputRedirected);
        Lines = lines;
        IsInteractive = !redirected && Environment.GetEnvironmentVariable("TERM") != "dumb";
        _hasColours = HasColours(redirected);
    }

    private Output(TextWriter lines) => Lines = lines;

    /// <summary>For a process that has nothing to say: a rank other than the first.</summary>
    public static Output Silent { get; } = new(TextWriter.Null);

    /// <summary>Whether standard output is for JSON alone.</summary>
    public bool IsJson { get; }

    /// <summary>Whether this process keeps standard output for JSON alone.</summary>
    internal static bool HoldsJson { get; private set; }

    /// <summary>Whether a person watches: progress may be redrawn in place.</summary>
    public bool IsInteractive { get; }

    /// <summary>Plain lines.</summary>
    public TextWriter Lines { get; }

    /// <summary>Columns that sentences and tables may take: the terminal's, within what can be read; elsewhere those of a log.</summary>
    internal int Width
    {
        get
        {
            if (!IsInteractive)
            {
                return VerdictText.LogWidth;
            }

            int columns = Console.BufferWidth;
            return columns > 1 ? Math.Clamp(columns - 1, 40, 140) : VerdictText.LogWidth;
        }
    }

    /// <summary>Writes one line.</summary>
    public void Line(string text = "") => Lines.WriteLine(text);

    /// <summary>Writes what stands out: a result, in bold where there are colours.</summary>
    public void Result(string text) => Lines.WriteLine(Coloured(text, Colour.Bold));

    /// <summary>Says what one does after this command.</summary>
    /// <param name="command">A command line, or a sentence; with paths as they are typed.</param>
    public void Next(string command)
    {
        if (!IsJson)
        {
            Lines.WriteLine(Coloured("next: ", Colour.Cyan) + command);
        }
    }

    /// <summary>Writes a verdict's sentences, table and notes.</summary>
    internal void Write(Verdict verdict)
    {
        bool isNote = false;
        foreach (string line in VerdictText.Write(verdict, Width).TrimEnd('\n').Split('\n'))
        {
            // Notes are the last, and may take several lines.
            isNote |= line.StartsWith("Note: ", StringComparison.Ordinal);
            Lines.WriteLine(isNote ? Coloured(line, Colour.Yellow) : line);
        }
    }

    /// <summary>An error's text for standard error.</summary>
    internal static string Error(string text) =>
        HasColours(Console.IsErrorRedirected) ? $"\e[{(int)Colour.Red}m{text}\e[0m" : text;

    private string Coloured(string text, Colour colour) => _hasColours ? $"\e[{(int)colour}m{text}\e[0m" : text;

    private static bool HasColours(bool redirected) =>
        !redirected
        && Environment.GetEnvironmentVariable("TERM") is not (null or "" or "dumb")
        && string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NO_COLOR"));

    /// <summary>Writes the command's JSON result.</summary>
    public static void Json(string text) => Console.Out.WriteLine(text);
}
