using System.Globalization;
using System.Text;
using Saltern.RunFiles;
using Saltern.Runs;

namespace Saltern.Cli.Terminal;

/// <summary>Standard output and standard error of this process, and what becomes of words that they do not take.</summary>
/// <remarks>Work whose result is on the disk goes on without them: the other stream and the run's <c>messages.log</c> say which one is gone, and the log has what it would have said.</remarks>
internal static class StandardStreams
{
    private const int MostKept = 1 << 20; // characters that wait for a run's folder

    private static readonly Lock Gate = new();
    private static readonly StringBuilder Waiting = new();
    private static GuardedWriter? GuardedOutput;
    private static GuardedWriter? GuardedError;
    private static string? LogFile;
    private static bool GoesOn;

    /// <summary>Puts guards before both streams; the first thing that the program does.</summary>
    /// <param name="closed">Numbers of those that were closed when it began.</param>
    public static void Guard(IReadOnlyCollection<int> closed)
    {
        GuardedOutput = Guarded("standard output", 1, Console.OutputEncoding, closed);
        GuardedError = Guarded("standard error", 2, Console.OutputEncoding, closed);
        Console.SetOut(GuardedOutput);
        Console.SetError(GuardedError);
    }

    /// <summary>Says that the command's result is on the disk: without its streams it goes on, and does not fail for them.</summary>
    public static void ReportOnly() => GoesOn = true;

    /// <summary>Words that are lost, before and from now on, go to a log in a run's folder.</summary>
    public static void KeepIn(RunFolder run)
    {
        if (run.Finished is not null)
        {
            return; // never written to again
        }

        lock (Gate)
        {
            LogFile = run.PathOf(RunLayout.Messages);
            if (Waiting.Length > 0)
            {
                Append(Waiting.ToString());
                Waiting.Clear();
            }
        }
    }

    /// <summary>The exit code of a command whose words were its result and are lost: it failed, unless nobody wanted them.</summary>
    public static int Judge(int code)
    {
        bool lost = GuardedOutput is { IsLost: true, HasNoReader: false } && (!GoesOn || Output.HoldsJson);
        return lost && code == ExitCode.Done ? ExitCode.Failed : code;
    }

    private static GuardedWriter Guarded(
        string name,
        int descriptor,
        Encoding encoding,
        IReadOnlyCollection<int> closed
    ) =>
        new(name, new DescriptorStream(descriptor), WithoutMark(encoding), closed.Contains(descriptor))
        {
            Lost = Tell,
            Unsaid = Keep,
        };

    // In front of a stream's first words a byte order mark would be part of them.
    private static Encoding WithoutMark(Encoding encoding) =>
        encoding is UTF8Encoding ? new UTF8Encoding(encoderShouldEmitUTF8Identifier: false) : encoding;

    private static void Tell(GuardedWriter lost, string why)
    {
        if (lost.HasNoReader && !GoesOn)
        {
            return; // as every program at the head of a pipe: its reader has seen enough
        }

        string consequence = GoesOn ? "The work goes on without it." : "What the command had to say there is lost.";
        string line = $"{lost.Name} cannot be written: {why}. {consequence}";
        Keep(
            string.Create(
                CultureInfo.InvariantCulture,
                $"{DateTime.UtcNow:yyyy-MM-dd HH:mm:ss} UTC: {line} It would have said:"
            ) + Environment.NewLine
        );
        GuardedWriter? other = lost == GuardedOutput ? GuardedError : GuardedOutput;
        if (other is { IsBroken: false } && !(other == GuardedOutput && Output.HoldsJson))
        {
            other.WriteLine(line);
        }
    }

    private static void Keep(string text)
    {
        lock (Gate)
        {
            if (LogFile is not null)
            {
                Append(text);
            }
            else if (Waiting.Length + text.Length <= MostKept)
            {
                Waiting.Append(text);
            }
        }
    }

    private static void Append(string text)
    {
        try
        {
            File.AppendAllText(LogFile!, text);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The run's own writes to this disk say so, and end the run with a reason.
        }
    }
}
