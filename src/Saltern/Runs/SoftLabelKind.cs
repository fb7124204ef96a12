using System.Globalization;
using Saltern.Configuration;
using Saltern.Guidance;
using Saltern.Losses;
using Saltern.ModelFiles;
using Saltern.Models;

namespace Saltern.Runs;

/// <summary>Section <c>distillation</c>: soft labels of a teacher that runs live or left a cache.</summary>
internal sealed class SoftLabelKind : GuidanceKind
{
    public override string Section => "distillation";

    public override string Activity => "distilling";

    public override string Symbol => "ω";

    public override IValidated? SectionOf(RunConfig config) => config.Distillation;

    public override WeightSchedule? ScheduleOf(RunConfig config) => config.Distillation?.Schedule;

    public override int LastStep(RunConfig config) => Transition.LastTeacherStep(Of(config), config.Training.Steps);

    public override bool MayEndEarlier(RunConfig config) => Of(config).Transition == TransitionKind.Auto;

    public override RunConfig Without(RunConfig config) => config with { Distillation = null };

    public override string ArmOf(RunConfig config)
    {
        if (config.Selection is not null)
        {
            return "salt_ds";
        }

        return Of(config).Transition == TransitionKind.Constant ? "rkd" : "salt";
    }

    public override IEnumerable<ConfigurationProblem> Problems(RunConfig config)
    {
        if (IsActive(config) && config.Teacher is null)
        {
            yield return new ConfigurationProblem(
                "teacher",
                "is missing, but distillation.weight is above 0. Name a teacher, or remove the section distillation."
            );
        }

        if (config.Distillation is { EndBeforeDecay: true, Transition: TransitionKind.Auto })
        {
            if (config.Schedule.FirstDecayStep(config.Training.Steps) is null)
            {
                yield return new ConfigurationProblem(
                    "distillation.end_before_decay",
                    "needs a schedule with a decay phase of its own, which 'kind: wsd' has. Use that, or remove the key."
                );
            }

            if (config.Growth?.Any(stage => stage.RestartSchedule) == true)
            {
                yield return new ConfigurationProblem(
                    "distillation.end_before_decay",
                    "does not go with growth.restart_schedule, which begins the schedule anew. Give distillation.maximum instead."
                );
            }
        }

        if (config.Distillation is { Gate: GateKind.Bucket, GateBucketBounds: null } && config.Teacher?.Cache is null)
        {
            yield return new ConfigurationProblem(
                "distillation.gate_bucket_bounds",
                "is missing. Give two ascending bounds of the teacher's loss, in nats, or a teacher.cache, which knows them."
            );
        }
    }

    public override RunConfig AtFullWeight(RunConfig config) =>
        config with
        {
            Distillation = Of(config) with { Transition = TransitionKind.Constant, Start = null, End = null },
        };

    public override Transition CreateTransition(RunConfig config, int domainCount) =>
        Transition.Create(
            Of(config),
            config.Training.Steps,
            config.Schedule.WarmupSteps,
            domainCount,
            startsTrained: config.InitFrom is not null
        );

    public override StageGuidance Create(
        RunConfig config,
        RunParts parts,
        Transition transition,
        int threads,
        GuidanceOptions options
    )
    {
        Teacher teacher = OpenTeacher(config, parts, options.Loading);
        teacher = options.Teacher?.Invoke(teacher) ?? teacher;
        return new SoftLabelGuidance(teacher, transition, Of(config), parts.Text.Domains);
    }

    public override FormattableString Describe(RunConfig config, RunParts parts, bool isActive)
    {
        DistillationConfig distillation = Of(config);
        string teacher = "already gone";
        if (isActive)
        {
            string from = parts.TeacherCache is TeacherCache cache ? CacheWords(cache) : "";
            teacher = string.Create(
                CultureInfo.InvariantCulture,
                $"{TeacherMillions(parts):0.00}M parameters, temperature {config.Teacher?.Temperature}{from}"
            );
        }

        int last = LastStep(config);
        string decay = "";
        if (config.Schedule.FirstDecayStep(config.Training.Steps) is int first)
        {
            decay =
                last < first
                    ? $"; stage 1 ends by step {last}, the learning rate decays from step {first} on"
                    : $"; stage 1 may last to step {last}, into the learning rate's decay from step {first} on";
        }

        return $"teacher: {teacher}; ω₀ = {distillation.Weight}, transition {distillation.Transition}{decay}";
    }

    private static DistillationConfig Of(RunConfig config) =>
        config.Distillation?.ForDecay(config.Schedule.FirstDecayStep(config.Training.Steps), config.Training.Steps)
        ?? throw new System.Diagnostics.UnreachableException("The recipe distils nothing.");

    private static Teacher OpenTeacher(RunConfig config, RunParts parts, IProgress<WeightProgress>? loading)
    {
        if (parts.TeacherCache is TeacherCache cache)
        {
            return new CachedTeacher(cache);
        }

        if (parts.TeacherFolder is not null && config.Teacher is TeacherConfig teacher)
        {
            Transformer model = parts.LoadTeacher(loading);
            return new LiveTeacher(parts.Compute.For(teacher.Precision).Apply(model), teacher.Temperature);
        }

        throw new System.Diagnostics.UnreachableException("The parts have no teacher.");
    }

    private static string CacheWords(TeacherCache cache)
    {
        TeachPlan plan = cache.Manifest.Plan;
        string kept = plan.Mode == CacheMode.Sampled ? $"{plan.Draws} draws" : $"{plan.Kept} tokens and a tail";
        return string.Create(
            CultureInfo.InvariantCulture,
            $" from {cache.Folder}, {kept}, {cache.Manifest.BytesPerPosition:0.0} bytes a position"
        );
    }
}
