using Saltern.Batches;
using Saltern.Checkpoints;
using Saltern.Configuration;
using Saltern.Guidance;
using Saltern.ModelFiles;
using Saltern.Models;
using Saltern.Shards;
using Saltern.Tokenization;

namespace Saltern.Runs;

/// <summary>A way for the small model to help in stage 1, seen from the recipe: its section, what it needs, and what makes its <see cref="StageGuidance"/>.</summary>
internal abstract class GuidanceKind
{
    /// <summary>Name of its section of the recipe.</summary>
    public abstract string Section { get; }

    /// <summary>What its steps do, for the log of a measurement: "distilling".</summary>
    public abstract string Activity { get; }

    /// <summary>Sign of its weight for people.</summary>
    public abstract string Symbol { get; }

    /// <summary>Its section; null where the recipe has none.</summary>
    public abstract IValidated? SectionOf(RunConfig config);

    /// <summary>Its weight over the steps; null where the recipe has no such section.</summary>
    public abstract WeightSchedule? ScheduleOf(RunConfig config);

    /// <summary>Whether a recipe asks for it, with a weight above 0.</summary>
    public bool IsActive(RunConfig config) => ScheduleOf(config) is { Weight: > 0 };

    /// <summary>The last step in which its weight can be above 0: what stage 1 takes at most.</summary>
    /// <param name="config">A recipe that asks for it.</param>
    public abstract int LastStep(RunConfig config);

    /// <summary>Whether stage 1 may end earlier by itself.</summary>
    public virtual bool MayEndEarlier(RunConfig config) => false;

    /// <summary>The same recipe without its section.</summary>
    public abstract RunConfig Without(RunConfig config);

    /// <summary>Name of the method in results.</summary>
    public abstract string ArmOf(RunConfig config);

    /// <summary>What does not go together with its section; nothing without one.</summary>
    public abstract IEnumerable<ConfigurationProblem> Problems(RunConfig config);

    /// <summary>Why it cannot be trained by several ranks; null where it can.</summary>
    public virtual string? RankProblem(int ranks) => null;

    /// <summary>The same recipe with the weight at its first value throughout, to time steps with guidance.</summary>
    public abstract RunConfig AtFullWeight(RunConfig config);

    /// <summary>Finds and checks the teacher on disk.</summary>
    /// <param name="data">The data set; null where it could not be opened, which is a problem of its own.</param>
    /// <param name="tokenizer">Its tokenizer; null likewise.</param>
    /// <param name="batches">The run's samples; null likewise.</param>
    /// <param name="resumed">State that the run is resumed from; null where it starts.</param>
    /// <exception cref="ConfigurationException">Teacher and run do not fit.</exception>
    public virtual TeacherParts OpenTeacher(
        RunConfig config,
        TeacherConfig teacher,
        TokenDataset? data,
        BpeTokenizer? tokenizer,
        BatchLoader? batches,
        TrainState? resumed
    )
    {
        if (teacher.Cache is not null)
        {
            return TeacherParts.OpenCache(config, teacher, data, tokenizer, batches, resumed);
        }

        return TeacherParts.Open(teacher, config.Objective, config.Data.SequenceLength, tokenizer, resumed);
    }

    /// <summary>Checks the student's shape.</summary>
    /// <exception cref="ConfigurationException">It cannot be guided in this way.</exception>
    public virtual void CheckStudent(RunConfig config, TransformerConfig student) { }

    /// <summary>Its weight over the steps, as the recipe says.</summary>
    /// <param name="config">A recipe that asks for it.</param>
    /// <param name="domainCount">Domains of the data.</param>
    public abstract Transition CreateTransition(RunConfig config, int domainCount);

    /// <summary>The guidance, with the small model in memory or on disk.</summary>
    /// <param name="config">A recipe that asks for it.</param>
    /// <param name="transition">Its weight over the steps.</param>
    /// <param name="threads">Threads for our own kernels.</param>
    /// <param name="options">What the caller gives besides the recipe.</param>
    public abstract StageGuidance Create(
        RunConfig config,
        RunParts parts,
        Transition transition,
        int threads,
        GuidanceOptions options
    );

    /// <summary>What a run says of it at its start.</summary>
    /// <param name="config">A recipe that asks for it.</param>
    /// <param name="isActive">Whether the teacher is still there.</param>
    public abstract FormattableString Describe(RunConfig config, RunParts parts, bool isActive);

    /// <summary>The size of a run's teacher for its description, in millions of parameters.</summary>
    protected static double TeacherMillions(RunParts parts) => (parts.TeacherRecord?.Parameters ?? 0) / 1e6;
}

/// <summary>What the caller of a run gives its guidance besides the recipe.</summary>
internal sealed record GuidanceOptions
{
    /// <summary>A transition in place of the recipe's; null for the recipe's.</summary>
    public Transition? Transition { get; init; }

    /// <summary>Puts a teacher around the recipe's; null for the recipe's.</summary>
    public Func<Teacher, Teacher>? Teacher { get; init; }

    /// <summary>Is told of the loading; null for nobody.</summary>
    public IProgress<WeightProgress>? Loading { get; init; }
}
