using System.Diagnostics;
using System.Globalization;
using Saltern.Batches;
using Saltern.Checkpoints;
using Saltern.Configuration;
using Saltern.Guidance;
using Saltern.Models;
using Saltern.Shards;
using Saltern.Tokenization;

namespace Saltern.Runs;

/// <summary>Section <c>alignment</c>: hidden states of a teacher whose tokenizer may be another one.</summary>
internal sealed class AlignmentKind : GuidanceKind
{
    public override string Section => "alignment";

    public override string Activity => "aligning";

    public override string Symbol => "λ";

    public override IValidated? SectionOf(RunConfig config) => config.Alignment;

    public override WeightSchedule? ScheduleOf(RunConfig config) => config.Alignment?.Schedule;

    public override int LastStep(RunConfig config) => Of(config).Schedule.LastStep(config.Training.Steps);

    public override RunConfig Without(RunConfig config) => config with { Alignment = null };

    public override string ArmOf(RunConfig config) => "aligned";

    public override IEnumerable<ConfigurationProblem> Problems(RunConfig config)
    {
        if (config.Alignment is null)
        {
            yield break;
        }

        if (config.Teacher is null && IsActive(config))
        {
            yield return new ConfigurationProblem(
                "teacher",
                "is missing, but alignment.weight is above 0. Name a teacher, or remove the section alignment."
            );
        }

        if (config.Teacher is { Cache: not null })
        {
            yield return new ConfigurationProblem(
                "teacher.cache",
                "holds soft labels, which alignment does not use. Name the model as teacher.path."
            );
        }

        if (config.Teacher is { Temperature: not 1.0 })
        {
            yield return new ConfigurationProblem(
                "teacher.temperature",
                "divides logits, which alignment does not use. Remove it."
            );
        }

        if (config.Objective is { IsMixed: true })
        {
            yield return new ConfigurationProblem(
                "objective",
                "mixes in inputs that are not running text, which a teacher with another tokenizer cannot read. "
                    + "Remove it, or the section alignment."
            );
        }

        if (config.Selection is not null)
        {
            yield return new ConfigurationProblem(
                "selection",
                "is not used together with alignment. Remove one of the sections."
            );
        }
    }

    public override string? RankProblem(int ranks) =>
        $"alignment is for one process, and {ranks} ranks were started. Train it without mpirun, or use distillation.";

    public override RunConfig AtFullWeight(RunConfig config) =>
        config with
        {
            Alignment = Of(config) with { Transition = TransitionKind.Constant, Start = null, End = null },
        };

    public override TeacherParts OpenTeacher(
        RunConfig config,
        TeacherConfig teacher,
        TokenDataset? data,
        BpeTokenizer? tokenizer,
        BatchLoader? batches,
        TrainState? resumed
    ) => TeacherParts.OpenForAlignment(teacher, Of(config), config.Data.SequenceLength, resumed);

    public override void CheckStudent(RunConfig config, TransformerConfig student) =>
        Of(config).ResolveStudentLayer(student.NumHiddenLayers);

    public override Transition CreateTransition(RunConfig config, int domainCount) =>
        new ScheduledTransition(Of(config).Schedule, smoothing: 0, config.Training.Steps, domainCount);

    public override StageGuidance Create(
        RunConfig config,
        RunParts parts,
        Transition transition,
        int threads,
        GuidanceOptions options
    )
    {
        if (parts.TeacherFolder is null || parts.TeacherTokenizer is not BpeTokenizer tokenizer)
        {
            throw new UnreachableException("The parts have no teacher with a tokenizer.");
        }

        AlignmentConfig alignment = Of(config);
        Transformer model = parts.Compute.For(config.Teacher?.Precision).Apply(parts.LoadTeacher());
        var teacher = new AlignmentTeacher(
            model,
            tokenizer,
            alignment.ResolveTeacherLayer(model.Config.NumHiddenLayers),
            parts.Tokenizer,
            config.Data.MaskDocuments
        );
        var projection = new AlignmentProjection(
            parts.Model.HiddenSize,
            model.Config.HiddenSize,
            config.Optimizer.ForWidth(parts.Model.HiddenSize),
            config.Seed,
            parts.Compute.Device,
            threads
        );
        int layer = alignment.ResolveStudentLayer(parts.Model.NumHiddenLayers);
        return new AlignmentGuidance(teacher, projection, layer, transition, threads);
    }

    public override FormattableString Describe(RunConfig config, RunParts parts, bool isActive)
    {
        AlignmentConfig alignment = Of(config);
        string teacher = "already gone";
        if (isActive)
        {
            teacher = string.Create(
                CultureInfo.InvariantCulture,
                $"{TeacherMillions(parts):0.00}M parameters, its own tokens of the same text"
            );
        }

        string layer = alignment.TeacherLayer is int given ? $"layer {given}" : "last layer";
        int layers = parts.Model.NumHiddenLayers;
        int studentLayer = alignment.ResolveStudentLayer(layers);
        string guides = $"its {layer} guides layer {studentLayer} of {layers}";
        return $"teacher: {teacher}; {guides}; λ₀ = {alignment.Weight}, transition {alignment.Transition}";
    }

    private static AlignmentConfig Of(RunConfig config) =>
        config.Alignment ?? throw new UnreachableException("The recipe aligns nothing.");
}
