// Which way to BASELINE's quality: BASELINE, SALT, GROWN or both, by rules that were measured (docs/growth.md, "When").
using Saltern.Configuration;
using Saltern.Growth;
using Saltern.Guidance;
using Saltern.Models;
using Saltern.Runs;

namespace Saltern.Planning;

/// <summary>One way to train the student.</summary>
/// <param name="Name">BASELINE, SALT, GROWN or GROWN+SALT.</param>
/// <param name="Free">Expected FLOPs to BASELINE's quality over BASELINE's, the small model for nothing.</param>
/// <param name="Charged">The same with the small model's training, shared by the students served; null where nothing says what it costs.</param>
/// <param name="Rule">Where the figures come from.</param>
internal sealed record Way(string Name, double Free, double? Charged, string Rule);

/// <summary>What each way is expected to cost, and which is the cheapest.</summary>
internal sealed record WaysPlan
{
    /// <summary>κ: what a share of the steps with a smaller model costs in lag, as a share of those steps, beyond <see cref="StepsWithoutLag"/>. Readings on 1.3M parameters over 1,500 steps: 0.25 with Muon, 0.37 with AdamW.</summary>
    public const double Lag = 0.3;

    /// <summary>Share of the steps in which a smaller model of the same width is no worse than the large one.</summary>
    public const double StepsWithoutLag = 0.2;

    /// <summary>Share of the steps that is reckoned with where nothing is said: late enough to save, early enough for the decay that follows.</summary>
    public const double DefaultShare = 0.5;

    /// <summary>K.</summary>
    public required int StudentsServed { get; init; }

    /// <summary>BASELINE first.</summary>
    public required IReadOnlyList<Way> Ways { get; init; }

    /// <summary>Why a way is not among them; empty where all are.</summary>
    public required IReadOnlyList<string> Missing { get; init; }

    /// <summary>The cheapest with the small model for nothing.</summary>
    public Way BestFree => Ways.MinBy(way => way.Free)!;

    /// <summary>The cheapest with everything charged.</summary>
    public Way BestCharged => Ways.Where(way => way.Charged is not null).MinBy(way => way.Charged)!;

    /// <summary>Reckons the ways of a recipe.</summary>
    /// <param name="student">Its resolved model.</param>
    /// <param name="teacher">Shape of the teacher; null without one.</param>
    /// <param name="teacherSteps">Steps of the teacher's own training; null for the student's.</param>
    /// <param name="stepsShare">Share of BASELINE's steps after which SALT is assumed to reach its quality.</param>
    /// <param name="growth">Small stages to reckon GROWN with; the recipe's, or what was asked for.</param>
    public static WaysPlan Of(
        RunConfig recipe,
        TransformerConfig student,
        TransformerConfig? teacher,
        double? teacherSteps,
        double stepsShare,
        int students,
        IReadOnlyList<GrowthStageConfig> growth
    )
    {
        var missing = new List<string>();
        List<Way> ways = [new("BASELINE", 1, 1, "by definition")];
        Way? grown = Grown(recipe, student, students, growth, missing);
        CostPlan cost = SaltCost(recipe, student, teacher, teacherSteps);
        if (teacher is not null)
        {
            ways.Add(
                new Way(
                    "SALT",
                    cost.FreeRatio(stepsShare),
                    cost.TeacherTraining is null ? null : cost.ChargedRatio(stepsShare, students),
                    FormattableString.Invariant($"{stepsShare:0.00} of the steps (--steps-share)")
                )
            );
        }
        else
        {
            missing.Add("SALT: no teacher. Name one in the recipe, or its shape by --teacher PRESET.");
        }

        if (grown is not null)
        {
            ways.Add(grown);
            if (teacher is not null)
            {
                double labels = cost.FreeRatio(stepsShare);
                double? training = cost.ChargedRatio(stepsShare, students) - labels;
                ways.Add(
                    new Way(
                        "GROWN+SALT",
                        grown.Free * labels,
                        (grown.Charged * labels) + training,
                        "the product of both, at best: a teacher no better than the grown student gives nothing"
                    )
                );
            }
        }

        return new WaysPlan
        {
            StudentsServed = students,
            Ways = ways,
            Missing = missing,
        };
    }

    /// <summary>The small stages that GROWN is reckoned with: the recipe's, or a shallower model that the student's layers are a multiple of.</summary>
    /// <param name="layers">Layers of the small model; null to choose: a quarter of eight and more, else half.</param>
    /// <param name="share">Share of the steps with it; null to choose.</param>
    public static IReadOnlyList<GrowthStageConfig> StagesFor(
        RunConfig recipe,
        TransformerConfig student,
        int? layers,
        double? share
    )
    {
        if (recipe.Growth is { Count: > 0 } own && layers is null && share is null)
        {
            return own;
        }

        int all = student.NumHiddenLayers;
        int wanted = all >= 8 ? 4 : 2;
        int? divisor = Enumerable
            .Range(2, Math.Max(0, all - 1))
            .OrderBy(by => Math.Abs(by - wanted))
            .Cast<int?>()
            .FirstOrDefault(by => all % by == 0);
        if ((layers ?? all / divisor) is not int small)
        {
            return [];
        }

        return
        [
            new GrowthStageConfig
            {
                Until = StepPoint.FromShare(share ?? DefaultShare),
                Model = new GrowthModelConfig { NumHiddenLayers = small },
            },
        ];
    }

    // SALT as it is by default where the recipe is of another way.
    private static CostPlan SaltCost(
        RunConfig recipe,
        TransformerConfig student,
        TransformerConfig? teacher,
        double? teacherSteps
    )
    {
        RunConfig salt = recipe with { Growth = null };
        if (GuidanceKinds.Active(recipe) is null && teacher is not null)
        {
            salt = salt with
            {
                Teacher = new TeacherConfig { Path = "teacher" },
                Distillation = new DistillationConfig { Transition = TransitionKind.Auto },
            };
        }

        return CostPlan.Of(salt, student, teacher, teacherSteps ?? recipe.Training.Steps);
    }

    private static Way? Grown(
        RunConfig recipe,
        TransformerConfig student,
        int students,
        IReadOnlyList<GrowthStageConfig> growth,
        List<string> missing
    )
    {
        if (growth.Count == 0)
        {
            missing.Add(
                "GROWN: the student has one layer, so nothing of its width is smaller. Give the recipe a section growth."
            );
            return null;
        }

        GrowthPlan plan;
        try
        {
            plan = GrowthPlan.Of(
                growth,
                student,
                recipe.Training.Steps,
                recipe.Training.BatchSequences,
                recipe.Data.SequenceLength
            );
        }
        catch (ConfigurationException e)
        {
            missing.Add("GROWN: " + e.Message);
            return null;
        }

        int length = recipe.Data.SequenceLength;
        double step = GrowthPlan.StepFlops(plan.Stages[^1], length);
        double small = plan.Stages.SkipLast(1).Sum(stage => stage.Steps * GrowthPlan.StepFlops(stage, length));
        double all = recipe.Training.Steps * step;
        double share = plan.Stages.SkipLast(1).Sum(stage => stage.Steps) / (double)recipe.Training.Steps;
        double lag = Lag * Math.Max(0, share - StepsWithoutLag);
        double free = 1 - share + lag;
        string shapes = string.Join(
            " → ",
            plan.Stages.Select(stage =>
                FormattableString.Invariant($"{stage.Model.NumHiddenLayers} layers of {stage.Model.HiddenSize} ")
                + FormattableString.Invariant($"({GrowthPlan.StepFlops(stage, length) / step:0.00} a step)")
            )
        );
        return new Way(
            "GROWN",
            free,
            free + (small / all / students),
            FormattableString.Invariant($"{share:0.00} of the steps small, a lag of {lag:0.000}: {shapes}")
        );
    }
}
