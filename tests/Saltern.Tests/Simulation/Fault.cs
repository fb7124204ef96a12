namespace Saltern.Tests.Simulation;

/// <summary>What befalls a process at one of its calls to the disk.</summary>
internal enum FaultKind
{
    /// <summary>The process ends there; the system and its memory of the files live on.</summary>
    Kill,

    /// <summary>The machine ends there; what was not flushed is as the file system left it.</summary>
    PowerLoss,

    /// <summary>ENOSPC, from there to the end of the process.</summary>
    Full,

    /// <summary>EIO, once.</summary>
    Broken,

    /// <summary>EMFILE, for some calls.</summary>
    TooManyFiles,

    /// <summary>EROFS, from there to the end of the process: what Linux does to a file system with errors.</summary>
    ReadOnly,
}

/// <summary>A fault and its place.</summary>
/// <param name="Call">Number of the call to the disk that it strikes, from 0; an error strikes the first from there on that can have it.</param>
/// <param name="IsLate">Whether an end comes once the call is done; null for either.</param>
internal sealed record Fault(FaultKind Kind, int Call, bool? IsLate = null);

/// <summary>Ends a simulated process: nothing in the program catches it, and whatever it does on its way out reaches no disk.</summary>
internal sealed class ProcessEnded(string where) : Exception($"The process ended at {where}.");

/// <summary>A command found finished work and refused to touch it.</summary>
internal sealed class AlreadyThere : Exception;

/// <summary>Something that the program promises and did not keep.</summary>
internal sealed class Violation(string what) : Exception(what);
