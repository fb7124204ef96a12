using Saltern.RunFiles;
using Saltern.Runs;

namespace Saltern.Watch;

/// <summary>What a run is doing, as far as its folder tells.</summary>
public enum RunState
{
    /// <summary>The folder is there, but no metrics yet.</summary>
    Waiting,

    /// <summary>Metrics came in lately.</summary>
    Running,

    /// <summary>Neither result nor news: stopped, killed, or in a long evaluation.</summary>
    Quiet,

    /// <summary>It wrote its result.</summary>
    Finished,
}

/// <summary>A checkpoint on disk.</summary>
/// <param name="Step">Steps done.</param>
/// <param name="Bytes">Size of all its files.</param>
/// <param name="Written">When its manifest was written, UTC; null while that is missing, so it is not whole.</param>
public sealed record CheckpointView(int Step, long Bytes, DateTime? Written);

/// <summary>One run at one moment; immutable, so that pages may draw it while the next one is read.</summary>
public sealed record RunView
{
    /// <summary>Folder as it was given.</summary>
    public required string Folder { get; init; }

    /// <summary>Name in the recipe, or else the folder's.</summary>
    public required string Name { get; init; }

    /// <summary>Seed of initial weights and data order; 0 where not known.</summary>
    public int Seed { get; init; }

    /// <summary>Whether a teacher takes part.</summary>
    public bool HadTeacher { get; init; }

    /// <summary>Whether its model grows, or grew, out of a smaller one.</summary>
    public bool Grew { get; init; }

    /// <summary>Whether its first weights are another model's.</summary>
    public bool StartsFromAModel { get; init; }

    /// <summary>Whether a small model takes part in any way; runs without one are baselines.</summary>
    public bool HadSmallModel => HadTeacher || Grew;

    /// <summary>Steps that its model grew after, so far.</summary>
    public IReadOnlyList<int> GrowthSteps { get; init; } = [];

    /// <summary>What it is doing.</summary>
    public RunState State { get; init; }

    /// <summary>Time since the last metrics were written; null where there are none.</summary>
    public TimeSpan? Silence { get; init; }

    /// <summary>Steps done.</summary>
    public int Step { get; init; }

    /// <summary>Steps that the recipe asks for; 0 where not known.</summary>
    public int PlannedSteps { get; init; }

    /// <summary>Step time that is left at the pace of the last steps, without evaluations and checkpoints; null where unknown or finished.</summary>
    public TimeSpan? TimeLeft { get; init; }

    /// <summary>Last step with a teacher; null before it, or without one.</summary>
    public int? SwitchStep { get; init; }

    /// <summary>Logged values by the names of docs/run-format.md, in order of steps.</summary>
    public required IReadOnlyDictionary<string, IReadOnlyList<(int Step, double Value)>> Series { get; init; }

    /// <summary>Validation loss along the run with costs, on the curve set.</summary>
    public IReadOnlyList<CurvePoint> Curve { get; init; } = [];

    /// <summary>Checkpoints on disk, by step.</summary>
    public IReadOnlyList<CheckpointView> Checkpoints { get; init; } = [];

    /// <summary>What the run wrote at its end; null before.</summary>
    public RunResult? Result { get; init; }

    /// <summary>Text that the model wrote last: of a finished run its result's, before that what <c>training.sample_text</c> left; null where there is none.</summary>
    internal RunSamples? Samples { get; init; }

    /// <summary>What could not be read; null where all is well.</summary>
    public string? Problem { get; init; }

    /// <summary>The name without the seed: runs of one arm share a colour.</summary>
    public string Arm
    {
        get
        {
            if (Name.EndsWith($"-seed-{Seed}", StringComparison.Ordinal))
            {
                return Name[..Name.LastIndexOf("-seed-", StringComparison.Ordinal)];
            }

            return Name;
        }
    }

    /// <summary>Last value of a name; null where it was not logged.</summary>
    public double? Last(string name)
    {
        if (Points(name) is [.., var last])
        {
            return last.Value;
        }

        return null;
    }

    /// <summary>All values of a name; empty where it was not logged.</summary>
    public IReadOnlyList<(int Step, double Value)> Points(string name)
    {
        if (Series.TryGetValue(name, out IReadOnlyList<(int Step, double Value)>? points))
        {
            return points;
        }

        return [];
    }
}
