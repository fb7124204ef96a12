namespace Saltern;

/// <summary>Something a user can put right: the message says what was found, what is allowed, where, and what to do.</summary>
public class SalternException : Exception
{
    /// <summary>Creates the exception with a message that is shown to the user as it is.</summary>
    public SalternException(string message)
        : base(message) { }

    /// <summary>Creates the exception with the error that caused it.</summary>
    public SalternException(string message, Exception innerException)
        : base(message, innerException) { }
}

/// <summary>A recipe, option or combination of options is wrong.</summary>
public sealed class ConfigurationException : SalternException
{
    /// <summary>Creates the exception from every problem found, one a line.</summary>
    public ConfigurationException(IReadOnlyList<string> problems)
        : base(string.Join(Environment.NewLine, problems))
    {
        Problems = problems;
    }

    /// <summary>Creates the exception from a single problem.</summary>
    public ConfigurationException(string problem)
        : this([problem]) { }

    /// <summary>Every problem found, in the order of the file.</summary>
    public IReadOnlyList<string> Problems { get; }

    /// <summary>Whether the only problem is that another process is at the same work.</summary>
    internal bool IsHeldByAnother { get; init; }
}

/// <summary>A data, tokenizer or model file is missing, damaged or of the wrong kind.</summary>
public sealed class DataFormatException : SalternException
{
    /// <summary>Creates the exception; name file, place, found and expected.</summary>
    public DataFormatException(string message)
        : base(message) { }

    /// <summary>Creates the exception with the error that caused it.</summary>
    internal DataFormatException(string message, Exception innerException)
        : base(message, innerException) { }
}

/// <summary>A checkpoint cannot be written, found, verified or continued, or another file of a running training cannot be written.</summary>
public sealed class CheckpointException : SalternException
{
    /// <summary>Creates the exception; name the checkpoint and what is wrong with it.</summary>
    public CheckpointException(string message)
        : base(message) { }

    /// <summary>Creates the exception with the error that caused it.</summary>
    internal CheckpointException(string message, Exception innerException)
        : base(message, innerException) { }
}

/// <summary>Training cannot go on: too many steps in a row had a non-finite loss or gradient.</summary>
public sealed class TrainingException : SalternException
{
    /// <summary>Creates the exception; name step, loss, gradient norm and batch.</summary>
    public TrainingException(string message)
        : base(message) { }
}

/// <summary>The ranks of a run cannot go on together: one is gone, hangs, or sees something else than the others.</summary>
public sealed class DistributedException : SalternException
{
    /// <summary>Creates the exception; name the rank and what it was doing.</summary>
    public DistributedException(string message)
        : base(message) { }
}
