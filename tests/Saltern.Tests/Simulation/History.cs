using System.Diagnostics;
using System.Globalization;
using Saltern.Files;

namespace Saltern.Tests.Simulation;

/// <summary>One life of a command after the other on one disk, as a seed has it: some end in a fault, the last in peace.</summary>
/// <param name="createDisk">Makes the disk of a folder: one with a planted defect perhaps.</param>
internal sealed class History(string root, Func<string, SimulatedDisk> createDisk)
{
    private const int MostFaults = 3;

    // The longer ones less often: a study is two trainings.
    private static readonly SimulatedWork[] Works =
    [
        .. Times(4, new SimulatedTraining(tunes: false)),
        .. Times(3, new SimulatedTraining(tunes: true)),
        .. Times(4, new SimulatedPreparation()),
        .. Times(3, new SimulatedTeaching()),
        .. Times(1, new SimulatedStudy()),
        .. Times(2, new SimulatedSelection()),
        .. Times(1, new SimulatedModelWork("import")),
        .. Times(1, new SimulatedModelWork("export")),
        .. Times(1, new SimulatedModelWork("export --gguf")),
        .. Times(1, new SimulatedTokenizerTraining()),
    ];

    private readonly SimulatedDisk _disk = createDisk(root);

    private readonly Dictionary<SimulatedWork, (IReadOnlyDictionary<string, byte[]> Whole, int Calls)> _undisturbed =
    [];
    private readonly Dictionary<SimulatedWork, int[]> _renames = [];

    /// <summary>Names of the works that there are.</summary>
    public static IEnumerable<string> Names => Works.Select(work => work.Name).Distinct();

    /// <summary>How often each work was disturbed by each kind of fault.</summary>
    public SortedDictionary<string, int> Struck { get; } = new(StringComparer.Ordinal);

    /// <summary>Seconds that each work took.</summary>
    public SortedDictionary<string, double> Seconds { get; } = new(StringComparer.Ordinal);

    /// <summary>Lives of commands so far.</summary>
    public long Lives { get; private set; }

    /// <summary>Ends a command right after each of its changes of names, runs it again to its end and cuts the power.</summary>
    /// <returns>What was violated; null for nothing.</returns>
    public string? PlayRenames(string name)
    {
        SimulatedWork work = Works.First(each => each.Name == name);
        Undisturbed(work);
        foreach (int rename in _renames[work])
        {
            foreach (FaultKind kind in (FaultKind[])[FaultKind.Kill, FaultKind.PowerLoss])
            {
                if (
                    Play(work, new Random(rename), [new Fault(kind, rename, IsLate: true), null], losesPower: true)
                    is string what
                )
                {
                    return what;
                }
            }
        }

        return null;
    }

    /// <summary>Plays one.</summary>
    /// <returns>What was violated, with all that happened; null for nothing.</returns>
    public string? Play(long seed)
    {
        var random = new Random(Mixed(seed));
        SimulatedWork work = Works[random.Next(Works.Length)];
        (_, int calls) = Undisturbed(work);
        Fault?[] faults =
        [
            .. Enumerable
                .Range(0, 1 + random.Next(MostFaults))
                .Select(_ => new Fault((FaultKind)random.Next(6), random.Next(calls))),
            null,
        ];
        string? what = Play(work, random, faults, losesPower: random.Next(2) == 0);
        return what is null ? null : $"seed {seed}: {what}";
    }

    private string? Play(SimulatedWork work, Random random, Fault?[] faults, bool losesPower)
    {
        (IReadOnlyDictionary<string, byte[]> whole, int calls) = Undisturbed(work);
        List<string> told = [$"{work.Name}, {calls} calls undisturbed"];
        HashSet<string> done = [];
        long begun = Stopwatch.GetTimestamp();
        try
        {
            _disk.Format();
            work.Prepare(_disk, root);
            foreach (Fault? fault in faults)
            {
                bool? over = Live(work, random, fault, done, told);
                bool isPowerless = _disk.HasEnded ? fault!.Kind == FaultKind.PowerLoss : over == true && losesPower;
                _disk.End(isPowerless);
                string end = isPowerless ? "the power was lost" : "the process is over";
                told.Add($"  {end}; reported: {string.Join(", ", done)}");
                work.Inspect(root, whole, done);
                if (over != false)
                {
                    Compare(work, whole);
                }
            }

            return null;
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            _disk.End(losesPower: false);
            told.Add(e is Violation ? "VIOLATED: " + e.Message : $"VIOLATED: {e}");
            told.AddRange(_disk.Trace);
            told.AddRange(Files().Select(file => $"  {file.Key} {file.Value.Length}"));
            return string.Join(Environment.NewLine, told);
        }
        finally
        {
            Seconds[work.Name] = Seconds.GetValueOrDefault(work.Name) + Stopwatch.GetElapsedTime(begun).TotalSeconds;
        }
    }

    private static IEnumerable<SimulatedWork> Times(int count, SimulatedWork work) => Enumerable.Repeat(work, count);

    // Seeds that follow each other begin with unlike numbers.
    private static int Mixed(long seed)
    {
        ulong mixed = (ulong)seed * 0x9E3779B97F4A7C15;
        return (int)((mixed ^ (mixed >> 29)) >> 32);
    }

    // Whether the command came to its end; null where it found that an earlier one had.
    private bool? Live(SimulatedWork work, Random random, Fault? fault, HashSet<string> done, List<string> told)
    {
        Lives++;
        _disk.Start(random, fault);
        using IDisposable _ = Disk.Use(_disk);
        try
        {
            work.Run(root, what => done.Add(what));
            told.Add(string.Create(CultureInfo.InvariantCulture, $"  {fault}: ran to the end"));
            return true;
        }
        catch (AlreadyThere)
        {
            told.Add(string.Create(CultureInfo.InvariantCulture, $"  {fault}: there already"));
            return null;
        }
        catch (Exception e) when (fault is not null && _disk.HasStruck && IsAllowed(e, fault))
        {
            string key = $"{work.Name}: {fault.Kind}";
            Struck[key] = Struck.GetValueOrDefault(key) + 1;
            told.Add(string.Create(CultureInfo.InvariantCulture, $"  {fault}: {e.GetType().Name}, {e.Message}"));
            return false;
        }
    }

    // A fault comes out as an end of the process, or as an error that a command shows in words.
    private static bool IsAllowed(Exception e, Fault fault) =>
        fault.Kind is FaultKind.Kill or FaultKind.PowerLoss
            ? e is ProcessEnded
            : e is SalternException or IOException or UnauthorizedAccessException;

    private void Compare(SimulatedWork work, IReadOnlyDictionary<string, byte[]> whole)
    {
        IReadOnlyDictionary<string, byte[]> found = Files();
        foreach ((string file, byte[] bytes) in whole)
        {
            if (!found.TryGetValue(file, out byte[]? own) || !own.AsSpan().SequenceEqual(bytes))
            {
                throw new Violation(
                    $"{file} is {(own is null ? "not there" : "another")} after a command that ended well"
                );
            }
        }

        string? more = found.Keys.FirstOrDefault(file =>
            work.Counts(file) && !whole.ContainsKey(file) && !IsSetAside(file)
        );
        if (more is not null)
        {
            throw new Violation($"{more} is left over");
        }
    }

    // A checkpoint that could not be read was taken for damaged, which it says.
    private bool IsSetAside(string file) =>
        _disk.HasFailedToRead && file.Contains("/damaged-step-", StringComparison.Ordinal);

    private (IReadOnlyDictionary<string, byte[]> Whole, int Calls) Undisturbed(SimulatedWork work)
    {
        if (!_undisturbed.TryGetValue(work, out (IReadOnlyDictionary<string, byte[]>, int) known))
        {
            _disk.Format();
            work.Prepare(_disk, root);
            Live(work, new Random(1), null, [], []);
            int calls = _disk.Calls;
            _renames[work] = [.. _disk.Renames];
            _disk.End(losesPower: false);
            known = (Files().Where(file => work.Counts(file.Key)).ToDictionary(), calls);
            _undisturbed[work] = known;
        }

        return known;
    }

    private Dictionary<string, byte[]> Files() =>
        Directory
            .EnumerateFiles(root, "*", SearchOption.AllDirectories)
            .ToDictionary(file => Path.GetRelativePath(root, file), File.ReadAllBytes, StringComparer.Ordinal);
}
