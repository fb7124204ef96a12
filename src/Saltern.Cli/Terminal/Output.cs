namespace Saltern.Cli.Terminal;

/// <summary>Where a command's words go: results to standard output, or to standard error where that is kept for JSON.</summary>
/// <remarks>No colours are written anywhere, so NO_COLOR (no-color.org) has nothing to switch off; lines are redrawn by carriage return alone, and on terminals only.</remarks>
public sealed class Output
{
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

    /// <summary>Writes one line.</summary>
    public void Line(string text = "") => Lines.WriteLine(text);

    /// <summary>Writes the command's JSON result.</summary>
    public static void Json(string text) => Console.Out.WriteLine(text);
}
