using System.Diagnostics;
using System.Globalization;

namespace Saltern.Tests.Simulation;

// Commands on a disk that fills up, returns errors and loses power, killed at any call (docs/reliability.md).
public sealed class SimulationTests
{
    private const int HistoriesInTheSuite = 2_000;
    private const int HistoriesOfAPiece = 1_000;
    private const int FirstSeed = 1;

    private static ITestOutputHelper? Output => TestContext.Current.TestOutputHelper;

    public static TheoryData<string> Works => [.. History.Names];

    [Fact]
    public void Histories_KeepWhatTheProgramPromises()
    {
        using var campaign = new Campaign(root => new SimulatedDisk(root));
        long start = Stopwatch.GetTimestamp();
        SortedDictionary<long, string> violated = campaign.Play(FirstSeed, HistoriesInTheSuite);
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        Output?.WriteLine(
            string.Create(
                CultureInfo.InvariantCulture,
                $"{HistoriesInTheSuite} histories, {campaign.Lives} lives in {seconds:0.0} s, {violated.Count} violations"
            )
        );
        foreach (string line in campaign.Report())
        {
            Output?.WriteLine(line);
        }

        Assert.True(violated.Count == 0, Text(violated));
    }

    [Theory]
    [MemberData(nameof(Works))]
    public void ANameThatACommandGaveBeforeItsEnd_LastsOnceItWasRunAgain(string work)
    {
        string? what = new History(Campaign.Root(0), root => new SimulatedDisk(root)).PlayRenames(work);
        Directory.Delete(Campaign.Root(0), recursive: true);
        Assert.True(what is null, what);
    }

    [Fact]
    public void AFolderThatIsNotFlushed_IsFound() => AssertFound(root => new NoFolderFlush(root));

    [Fact]
    public void ARenameBeforeTheFlush_IsFound() => AssertFound(root => new RenameBeforeFlush(root));

    [Fact]
    public void OneHistory_IsPlayedAgain()
    {
        long seed = FirstSeed;
        if (Environment.GetEnvironmentVariable("SALTERN_HISTORY") is { Length: > 0 } text)
        {
            seed = long.Parse(text, CultureInfo.InvariantCulture);
        }

        using var campaign = new Campaign(root => new SimulatedDisk(root));
        SortedDictionary<long, string> violated = campaign.Play(seed, 1);
        Assert.True(violated.Count == 0, Text(violated));
    }

    [Fact]
    public void ManyHistories_InPiecesThatGoOnFromEachOther()
    {
        string? asked = Environment.GetEnvironmentVariable("SALTERN_HISTORIES");
        Assert.SkipWhen(string.IsNullOrEmpty(asked), "SALTERN_HISTORIES says how many.");
        long wanted = long.Parse(asked!, CultureInfo.InvariantCulture);
        double minutes = double.Parse(
            Environment.GetEnvironmentVariable("SALTERN_HISTORY_MINUTES") is { Length: > 0 } text ? text : "60",
            CultureInfo.InvariantCulture
        );
        string file = Environment.GetEnvironmentVariable("SALTERN_HISTORY_STATE") is { Length: > 0 } path
            ? path
            : Path.Combine(TestDisk.Lasting, "saltern-histories.json");
        CampaignState state = CampaignState.Load(file);
        long start = Stopwatch.GetTimestamp();
        using var campaign = new Campaign(root => new SimulatedDisk(root));
        List<string> told = [];
        while (state.Histories < wanted && Stopwatch.GetElapsedTime(start).TotalMinutes < minutes)
        {
            long lives = campaign.Lives;
            long count = Math.Min(HistoriesOfAPiece, wanted - state.Histories);
            SortedDictionary<long, string> violated = campaign.Play(state.NextSeed, count);
            told.AddRange(violated.Values);
            state = state with
            {
                NextSeed = state.NextSeed + count,
                Histories = state.Histories + count,
                Lives = state.Lives + campaign.Lives - lives,
                Violated = [.. state.Violated, .. violated.Keys],
            };
            state.Save(file);
        }

        string summary = string.Create(
            CultureInfo.InvariantCulture,
            $"{state.Histories} histories of this build, {state.Lives} lives, {state.Violated.Count} violations; "
                + $"{state.OtherBuilds} histories of builds before it"
        );
        Output?.WriteLine(summary);
        Assert.True(told.Count == 0, string.Join(Environment.NewLine + Environment.NewLine, told.Take(5)));
    }

    private static void AssertFound(Func<string, SimulatedDisk> createDisk)
    {
        using var campaign = new Campaign(createDisk);
        SortedDictionary<long, string> violated = campaign.Play(FirstSeed, HistoriesInTheSuite, stopsAtFirst: true);
        Assert.NotEmpty(violated);
        Output?.WriteLine(violated.First().Value);
    }

    private static string Text(SortedDictionary<long, string> violated)
    {
        string all = string.Join(Environment.NewLine + Environment.NewLine, violated.Values.Take(5));
        return $"{violated.Count} violations{Environment.NewLine}{all}";
    }
}
