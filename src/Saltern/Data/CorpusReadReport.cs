using System.Globalization;

namespace Saltern.Data;

/// <summary>A broken line or file.</summary>
/// <param name="File">The file.</param>
/// <param name="Line">The line, from 1, or the last line read before the file broke off; <see langword="null"/> for whole files.</param>
/// <param name="Reason">What is wrong with it.</param>
public sealed record CorpusProblem(string File, long? Line, string Reason)
{
    /// <summary><c>file:line reason</c>.</summary>
    public override string ToString() => Line is null ? $"{File}: {Reason}" : string.Create(CultureInfo.InvariantCulture, $"{File}:{Line}: {Reason}");
}

/// <summary>What one pass of a <see cref="CorpusReader"/> found so far.</summary>
public sealed class CorpusReadReport
{
    /// <summary>How many problems are kept by name; the rest is only counted.</summary>
    public const int NamedProblemLimit = 10;

    // A corpus with a wrong field name should not be read to its end before anyone hears of it.
    private const long HopelessLines = 1000;

    private readonly List<CorpusProblem> _problems = [];

    /// <summary>Documents given out.</summary>
    public long Documents { get; private set; }

    /// <summary>JSON lines read, broken ones included and empty ones not.</summary>
    public long Lines { get; private set; }

    /// <summary>Lines that gave no document.</summary>
    public long BrokenLines { get; private set; }

    /// <summary>Files opened.</summary>
    public int Files { get; private set; }

    /// <summary>Files that could not be read to their end.</summary>
    public int BrokenFiles { get; private set; }

    /// <summary>The first problems found, at most <see cref="NamedProblemLimit"/>.</summary>
    public IReadOnlyList<CorpusProblem> FirstProblems => _problems;

    internal void CountFile() => Files++;

    internal void CountLine() => Lines++;

    internal void CountDocument() => Documents++;

    internal void AddBrokenLine(string file, long line, string reason, double maxShare)
    {
        BrokenLines++;
        Name(new CorpusProblem(file, line, reason));
        if (BrokenLines == HopelessLines && Documents == 0 && maxShare < 1)
        {
            throw Failure($"The first {HopelessLines} lines are all broken");
        }
    }

    internal void AddBrokenFile(string file, long? line, string reason)
    {
        BrokenFiles++;
        Name(new CorpusProblem(file, line, reason));
    }

    /// <summary>Ends the pass: fails where more than the allowed share of lines or files was broken.</summary>
    /// <exception cref="DataFormatException">The share was exceeded; the message names the first problems.</exception>
    internal void Finish(double maxShare)
    {
        bool linesFail = BrokenLines > maxShare * Lines;
        bool filesFail = BrokenFiles > maxShare * Files;
        if (linesFail || filesFail)
        {
            string lines = linesFail ? $"{BrokenLines} of {Lines} lines are broken" : "";
            string files = filesFail ? $"{BrokenFiles} of {Files} files cannot be read to the end" : "";
            throw Failure($"{lines}{(linesFail && filesFail ? " and " : "")}{files}, more than the allowed {maxShare * 100:0.##} %");
        }
    }

    private DataFormatException Failure(string finding)
    {
        string more = BrokenLines + BrokenFiles > _problems.Count ? $"{Environment.NewLine}  …" : "";
        string named = string.Concat(_problems.Select(problem => $"{Environment.NewLine}  {problem}"));
        return new DataFormatException($"{finding}:{named}{more}{Environment.NewLine}Repair the files, name other fields, or allow a larger share.");
    }

    private void Name(CorpusProblem problem)
    {
        if (_problems.Count < NamedProblemLimit)
        {
            _problems.Add(problem);
        }
    }
}
