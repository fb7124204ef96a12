using Saltern.Checkpoints;
using Saltern.Configuration;
using Saltern.FineTuning;
using Saltern.Growth;
using Saltern.Guidance;
using Saltern.RunFiles;
using Saltern.Runs;
using Saltern.Selection;
using Saltern.Shards;

namespace Saltern.Studies;

/// <summary>What a recipe's inputs hold, by fingerprint; null where there is none or it is not on this machine.</summary>
/// <param name="Selection">The list of selected samples.</param>
/// <param name="InitFrom">The weights that the run starts from, before any growth.</param>
internal sealed record StudyInputs(string? Data, string? Teacher, string? Selection, string? InitFrom)
{
    /// <summary>Looks at the inputs that a recipe names.</summary>
    public static StudyInputs Of(RunConfig recipe)
    {
        string manifest = Path.Combine(recipe.Data.Path, DatasetManifest.FileName);
        return new StudyInputs(
            File.Exists(manifest) ? DatasetManifest.Load(recipe.Data.Path).Fingerprint : null,
            TeacherOf(recipe),
            SelectionOf(recipe),
            InitFromOf(recipe)
        );
    }

    private static string? InitFromOf(RunConfig recipe)
    {
        if (recipe.InitFrom is InitFromConfig from && Directory.Exists(from.Path))
        {
            return TeacherWeights.Fingerprint(InitialModel.Folder(from));
        }

        return null;
    }

    private static string? SelectionOf(RunConfig recipe)
    {
        if (recipe.Selection is { } selection && Directory.Exists(selection.Path))
        {
            return SelectionFolder.Read(selection.Path).Manifest.Sha256;
        }

        return null;
    }

    /// <summary>Ways in which a finished run differs from what is planned now; empty where its result stands for the plan.</summary>
    /// <param name="finished">The finished run's recipe.</param>
    /// <remarks>Every key that alters numbers must agree; of inputs the content counts, not the path, and only where both sides know it.</remarks>
    public static IReadOnlyList<string> Differences(RunConfig planned, RunConfig finished, RunResult result)
    {
        StudyInputs now = Of(planned);
        List<string> differences =
        [
            .. RecipeDiff
                .Compare(finished, planned)
                .Where(change => change.AltersNumbers && !change.NamesInput)
                .Select(change =>
                    $"{change.Path} was {change.Before ?? "not given"} and is now {change.After ?? "not given"}"
                ),
        ];
        Compare(differences, "data.path", result.DataFingerprint, now.Data);
        Compare(differences, "teacher", result.Teacher?.Weights, now.Teacher);
        Compare(differences, "selection.path", result.SelectionFingerprint, now.Selection);
        string? startedFrom = result.Origin.LastOrDefault(each => each.Weights is not null)?.Weights;
        if (startedFrom is null != planned.InitFrom is null)
        {
            differences.Add(
                $"init_from: it started from {(startedFrom is null ? "fresh weights" : "a model")}, "
                    + $"and is now to start from {planned.InitFrom?.Path ?? "fresh weights"}"
            );
        }

        Compare(differences, "init_from", startedFrom, now.InitFrom);
        if (result.Truncated || result.Steps != planned.Training.Steps)
        {
            differences.Add($"it ended after {result.Steps} of {planned.Training.Steps} steps");
        }

        return differences;
    }

    /// <summary>Ways in which a finished fine-tuning differs from what is planned now; empty where its result stands for the plan.</summary>
    /// <param name="finished">The finished one's recipe.</param>
    public static IReadOnlyList<string> Differences(FineTuneConfig planned, FineTuneConfig finished) =>
        [
            .. RecipeDiff
                .Compare(finished, planned)
                .Where(change => change.AltersNumbers && !change.NamesInput)
                .Select(change =>
                    $"{change.Path} was {change.Before ?? "not given"} and is now {change.After ?? "not given"}"
                ),
        ];

    private static string? TeacherOf(RunConfig recipe)
    {
        if (GuidanceKinds.Active(recipe) is null || recipe.Teacher is not TeacherConfig teacher)
        {
            return null;
        }

        if (teacher.Cache is string cache)
        {
            if (Directory.Exists(cache))
            {
                return TeachManifest.Load(cache).Plan.TeacherWeights;
            }

            return null;
        }

        if (Directory.Exists(teacher.Path))
        {
            return TeacherWeights.Fingerprint(ModelLocation.Resolve(teacher.Path!));
        }

        return null;
    }

    private static void Compare(List<string> differences, string what, string? finished, string? now)
    {
        if (finished is not null && now is not null && finished != now)
        {
            differences.Add($"{what}: its content was {finished} and is now {now}");
        }
    }
}
