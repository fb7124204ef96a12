using System.Globalization;
using System.Reflection;
using System.Text.Json;
using Saltern.Files;
using Saltern.Runs;

namespace Saltern.Tests.Simulation;

/// <summary>How far the long form has come, in a file of a few lines: the next piece goes on from there.</summary>
/// <param name="NextSeed">First seed that was not played.</param>
/// <param name="Build">What was tested: another build begins its own count.</param>
/// <param name="Histories">Histories that this build has passed.</param>
/// <param name="Lives">Lives of commands in them.</param>
/// <param name="OtherBuilds">Histories of the builds before it.</param>
/// <param name="Violated">Seeds that violated something, of this build.</param>
internal sealed record CampaignState(
    long NextSeed,
    string Build,
    long Histories,
    long Lives,
    long OtherBuilds,
    IReadOnlyList<long> Violated
)
{
    private static readonly JsonSerializerOptions Json = new() { WriteIndented = true };

    public static CampaignState Load(string path)
    {
        string build = string.Join(
            ' ',
            ((Assembly[])[typeof(WholeFile).Assembly, typeof(TrainingRun).Assembly]).Select(each =>
                each.ManifestModule.ModuleVersionId
            )
        );
        CampaignState? state = File.Exists(path)
            ? JsonSerializer.Deserialize<CampaignState>(File.ReadAllText(path))
            : null;
        if (state is null)
        {
            return new CampaignState(1, build, 0, 0, 0, []);
        }

        return state.Build == build
            ? state
            : new CampaignState(state.NextSeed, build, 0, 0, state.OtherBuilds + state.Histories, []);
    }

    public void Save(string path) => File.WriteAllText(path, JsonSerializer.Serialize(this, Json));
}

/// <summary>Plays many histories, on as many threads as there are cores, each with a disk of its own.</summary>
internal sealed class Campaign(Func<string, SimulatedDisk> createDisk) : IDisposable
{
    private const string Replay =
        "SALTERN_HISTORY={0} dotnet tests/Saltern.Tests/bin/Release/net10.0/Saltern.Tests.dll "
        + "-method Saltern.Tests.Simulation.SimulationTests.OneHistory_IsPlayedAgain";

    private readonly List<History> _histories =
    [
        .. Enumerable.Range(0, Math.Max(1, Environment.ProcessorCount)).Select(i => new History(Root(i), createDisk)),
    ];

    /// <summary>Lives of commands so far.</summary>
    public long Lives => _histories.Sum(each => each.Lives);

    /// <summary>Plays seeds in pieces, until they are used up, the time is over, or something was violated and nothing else was asked for.</summary>
    /// <param name="from">First seed.</param>
    /// <param name="count">How many.</param>
    /// <param name="stopsAtFirst">Whether one violation is enough.</param>
    /// <returns>What was violated, by seed, each with the command that replays it.</returns>
    public SortedDictionary<long, string> Play(long from, long count, bool stopsAtFirst = false)
    {
        SortedDictionary<long, string> violated = [];
        long next = from - 1;
        Thread[] threads =
        [
            .. _histories.Select(history => new Thread(() =>
            {
                for (
                    long seed = Interlocked.Increment(ref next);
                    seed < from + count;
                    seed = Interlocked.Increment(ref next)
                )
                {
                    string? what = history.Play(seed);
                    lock (violated)
                    {
                        if (what is not null)
                        {
                            string command = Replay.Replace(
                                "{0}",
                                seed.ToString(CultureInfo.InvariantCulture),
                                StringComparison.Ordinal
                            );
                            violated[seed] = what + Environment.NewLine + command;
                        }

                        if (stopsAtFirst && violated.Count > 0)
                        {
                            return;
                        }
                    }
                }
            })),
        ];
        Array.ForEach(threads, thread => thread.Start());
        Array.ForEach(threads, thread => thread.Join());
        return violated;
    }

    /// <summary>What was done, by work and fault.</summary>
    public IEnumerable<string> Report()
    {
        foreach (
            IGrouping<string, double> work in _histories
                .SelectMany(each => each.Seconds)
                .GroupBy(pair => pair.Key, pair => pair.Value)
        )
        {
            yield return string.Create(CultureInfo.InvariantCulture, $"{work.Sum():0.0} s {work.Key}");
        }

        foreach (
            IGrouping<string, int> fault in _histories
                .SelectMany(each => each.Struck)
                .GroupBy(pair => pair.Key, pair => pair.Value)
        )
        {
            yield return string.Create(CultureInfo.InvariantCulture, $"{fault.Sum()} {fault.Key}");
        }
    }

    public void Dispose()
    {
        for (int i = 0; i < _histories.Count; i++)
        {
            if (Directory.Exists(Root(i)))
            {
                Directory.Delete(Root(i), recursive: true);
            }
        }
    }

    // In memory where there is such a place: what lasts is the simulator's own to say.
    public static string Root(int number) =>
        Path.Combine(
            Directory.Exists("/dev/shm") ? "/dev/shm" : Path.GetTempPath(),
            $"saltern-simulation-{Environment.ProcessId}-{number}"
        );
}
