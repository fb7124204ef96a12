namespace Saltern.Tests.Simulation;

/// <summary>A command of the program as a history runs it: the same each time, by the code that writes the program's files.</summary>
internal abstract class SimulatedWork
{
    /// <summary>What it is called.</summary>
    public abstract string Name { get; }

    /// <summary>Puts there what stood before; nothing by default.</summary>
    public virtual void Prepare(SimulatedDisk disk, string root) { }

    /// <summary>Runs the command, or runs it again.</summary>
    /// <param name="root">Folder of the disk.</param>
    /// <param name="done">Told of everything that was reported as written: from then on it must not be lost.</param>
    public abstract void Run(string root, Action<string> done);

    /// <summary>Looks at what a life of the command has left.</summary>
    /// <param name="root">Folder of the disk.</param>
    /// <param name="whole">The files of an undisturbed command, by their paths below the root.</param>
    /// <param name="done">What was reported as written.</param>
    /// <exception cref="Violation">Something looks whole that is not, or is gone.</exception>
    public abstract void Inspect(
        string root,
        IReadOnlyDictionary<string, byte[]> whole,
        IReadOnlyCollection<string> done
    );

    /// <summary>Whether a file is one that a finished command leaves, and not a lock or the like.</summary>
    public virtual bool Counts(string file) => true;

    /// <summary>Requires that a file is one of those that may stand there.</summary>
    protected static void Require(string root, string file, params IReadOnlyList<byte[]> allowed)
    {
        string path = Path.Combine(root, file);
        byte[]? found = File.Exists(path) ? File.ReadAllBytes(path) : null;
        if (found is null || !allowed.Any(bytes => bytes.AsSpan().SequenceEqual(found)))
        {
            throw new Violation(
                $"{file} {(found is null ? "is gone" : $"is not what it should be, but {found.Length} other bytes")}"
            );
        }
    }

    /// <summary>Requires that a folder, where it is there, has the files of the undisturbed one.</summary>
    protected static void RequireSame(string root, string folder, IReadOnlyDictionary<string, byte[]> whole)
    {
        foreach (
            (string file, byte[] bytes) in whole.Where(file =>
                file.Key.StartsWith(folder + "/", StringComparison.Ordinal)
            )
        )
        {
            Require(root, file, bytes);
        }
    }
}
