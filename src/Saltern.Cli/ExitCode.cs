namespace Saltern.Cli;

/// <summary>What a command's exit code means.</summary>
public static class ExitCode
{
    /// <summary>All done.</summary>
    public const int Done = 0;

    /// <summary>It failed; the reason is on standard error.</summary>
    public const int Failed = 1;

    /// <summary>Wrong usage, option or recipe.</summary>
    public const int WrongUsage = 2;

    /// <summary>Interrupted by a signal, cleanly.</summary>
    public const int Interrupted = 130;
}
