using Saltern.Configuration;
using Saltern.FineTuning;
using Saltern.Numerics;
using Saltern.Runs;

namespace Saltern.Studies;

/// <summary>One piece of a study's work: a run, or the fine-tuning of one.</summary>
internal abstract record StudyJob(string Arm, int Seed)
{
    /// <summary>Where it lies below a folder of runs or of results.</summary>
    public abstract string RelativePath { get; }

    /// <summary>What messages call it.</summary>
    public abstract string Title { get; }
}

/// <summary>One run of a study.</summary>
internal sealed record StudyRun(string Arm, int Seed, RunConfig Recipe) : StudyJob(Arm, Seed)
{
    /// <inheritdoc/>
    public override string RelativePath => Path.Combine(Arm, $"seed-{Seed}");

    /// <inheritdoc/>
    public override string Title => $"{Arm}, seed {Seed}";
}

/// <summary>The fine-tuning of a run's final model.</summary>
/// <param name="TuningSeed">Seed of the fine-tuning.</param>
/// <param name="Recipe">Its whole recipe, but for the model to start from, which is the run's.</param>
internal sealed record StudyFineTune(StudyRun Run, int TuningSeed, FineTuneConfig Recipe) : StudyJob(Run.Arm, Run.Seed)
{
    /// <inheritdoc/>
    public override string RelativePath =>
        Path.Combine(Run.RelativePath, "finetune", Recipe.Name, $"seed-{TuningSeed}");

    /// <inheritdoc/>
    public override string Title => $"{Run.Title}, {Recipe.Name}, seed {TuningSeed}";
}

/// <summary>A study with every recipe resolved.</summary>
/// <param name="Runs">Arm by arm within a seed, so that every seed can be judged as soon as it is whole.</param>
/// <param name="FineTunes">What follows on finished runs.</param>
internal sealed record StudyPlan(
    StudyConfig Config,
    IReadOnlyList<StudyRun> Runs,
    IReadOnlyList<StudyFineTune> FineTunes
)
{
    /// <summary>Reads a study and the recipe that it is based on.</summary>
    /// <param name="overrides">Texts of <c>--set</c>: they win over the base recipe and what is common to all arms; an arm's own keys win over them.</param>
    /// <exception cref="ConfigurationException">Study, recipe or an arm's keys are wrong; the problems of all arms are listed.</exception>
    public static StudyPlan Read(string path, IReadOnlyList<string> overrides)
    {
        StudyConfig config = RecipeReader.Read<StudyConfig>(path, []);
        string recipe = Locate(path, config.Base);
        var runs = new List<StudyRun>();
        var problems = new List<string>();
        foreach (int seed in config.Arms.Keys.SelectMany(config.SeedsOf).Distinct().Order())
        {
            foreach ((string arm, IReadOnlyDictionary<string, string> keys) in config.Arms)
            {
                if (!config.SeedsOf(arm).Contains(seed))
                {
                    continue;
                }

                try
                {
                    string[] set =
                    [
                        .. Pairs(config.Common),
                        .. overrides,
                        .. Pairs(keys),
                        $"seed={seed}",
                        $"name={arm}-seed-{seed}",
                    ];
                    runs.Add(new StudyRun(arm, seed, RecipeReader.Read<RunConfig>(recipe, set)));
                }
                catch (ConfigurationException e)
                {
                    problems.AddRange(e.Problems.Select(problem => $"{path}, arm {arm}: {problem}"));
                }
            }
        }

        var tunes = new List<StudyFineTune>();
        foreach (string tuning in config.Finetune ?? [])
        {
            try
            {
                string file = Locate(path, tuning);
                tunes.AddRange(
                    from run in runs
                    where config.FinetuneArms?.Contains(run.Arm) ?? true
                    from seed in Enumerable.Range(1, config.FinetuneSeeds)
                    select new StudyFineTune(
                        run,
                        seed,
                        RecipeReader.Read<FineTuneConfig>(file, Overrides(seed, run.Recipe))
                    )
                );
            }
            catch (ConfigurationException e)
            {
                problems.AddRange(e.Problems.Select(problem => $"{path}, finetune: {problem}"));
            }
        }

        // An arm's mistake would come once for each seed.
        if (problems.Count > 0)
        {
            throw new ConfigurationException([.. problems.Distinct()]);
        }

        return new StudyPlan(config, runs, tunes);
    }

    /// <summary>Whether a recipe leaves its precision to the machine.</summary>
    public bool HasOpenPrecision =>
        Runs.Any(run => run.Recipe.Precision == ComputePrecision.Auto)
        || FineTunes.Any(tune => tune.Recipe.Precision == ComputePrecision.Auto);

    /// <summary>bf16 where every recipe that leaves it to the machine would take it here, else fp32.</summary>
    public ComputePrecision FastestPrecision() =>
        Runs.Where(run => run.Recipe.Precision == ComputePrecision.Auto)
            .All(run => ComputePlan.Of(run.Recipe).Precision == ComputePrecision.Bf16)
            ? ComputePrecision.Bf16
            : ComputePrecision.Fp32;

    /// <summary>The same with one precision for all that leave it to the machine: arms are compared, so none may choose for itself.</summary>
    public StudyPlan WithPrecision(ComputePrecision precision)
    {
        var runs = Runs.ToDictionary(run => run, run => run with { Recipe = Pinned(run.Recipe, precision) });
        return this with
        {
            Runs = [.. Runs.Select(run => runs[run])],
            FineTunes =
            [
                .. FineTunes.Select(tune =>
                    tune with
                    {
                        Run = runs[tune.Run],
                        Recipe = tune.Recipe with
                        {
                            Precision =
                                tune.Recipe.Precision == ComputePrecision.Auto ? precision : tune.Recipe.Precision,
                        },
                    }
                ),
            ],
        };
    }

    private static RunConfig Pinned(RunConfig recipe, ComputePrecision precision) =>
        recipe.Precision == ComputePrecision.Auto ? recipe with { Precision = precision } : recipe;

    private static IEnumerable<string> Pairs(IReadOnlyDictionary<string, string>? keys) =>
        (keys ?? new Dictionary<string, string>()).Select(key => $"{key.Key}={key.Value}");

    /// <summary>Whether a file is a study rather than a recipe: it has arms.</summary>
    public static bool IsStudy(string path) =>
        RecipeFile.Read(path).Split('\n').Any(line => line.StartsWith("arms:", StringComparison.Ordinal));

    /// <summary>Finds a file that a study names: beside the study, or from the working folder.</summary>
    /// <exception cref="ConfigurationException">It is at neither place.</exception>
    public static string Locate(string study, string file)
    {
        string beside = Path.Combine(Path.GetDirectoryName(Path.GetFullPath(study))!, file);
        if (File.Exists(beside))
        {
            return beside;
        }

        if (File.Exists(file))
        {
            return file;
        }

        throw new ConfigurationException(
            $"{study} names {file}, which is neither beside it nor in {Directory.GetCurrentDirectory()}."
        );
    }

    // Fine-tuning computes where and how its run did.
    private static string[] Overrides(int seed, RunConfig run) =>
        [
            $"seed={seed}",
            $"precision={PrecisionChoice.Word(run.Precision)}",
            .. run.Threads is int threads ? [$"threads={threads}"] : Array.Empty<string>(),
            .. run.Device == ComputeDevice.Cuda ? ["device=cuda"] : Array.Empty<string>(),
        ];
}
