using Saltern.Configuration;
using Saltern.Guidance;
using Saltern.Models;
using Saltern.Optimization;
using Saltern.Planning;
using Saltern.Runs;
using Saltern.Studies;

namespace Saltern.Tests.Runs;

// What plans, studies and benchmarks know of a way to help they ask of its kind: nothing below names one way and forgets the other.
public class GuidanceKindsTests
{
    private const int LastStep = 25;

    [Theory]
    [InlineData(ScheduleKind.Wsd, true, 32)] // of 40 steps the last 8 decay: steps 33 to 40
    [InlineData(ScheduleKind.Wsd, false, 35)]
    public void Auto_EndsBeforeTheDecayWhereTheRecipeSaysSo(ScheduleKind kind, bool ends, int expected)
    {
        RunConfig recipe = Guided("distillation") with
        {
            Schedule = new ScheduleConfig { Kind = kind },
            Distillation = new DistillationConfig
            {
                Transition = TransitionKind.Auto,
                Maximum = StepPoint.FromSteps(36),
                EndBeforeDecay = ends,
            },
        };
        Assert.Empty(recipe.Validate());
        GuidanceKind active = GuidanceKinds.Active(recipe)!;
        Assert.Equal(expected, active.LastStep(recipe));
        var transition = (AutoTransition)active.CreateTransition(recipe, domainCount: 1);
        Assert.Equal(expected + 1, transition.Maximum);
    }

    [Fact]
    public void EndBeforeDecay_WithoutADecay_IsAnError()
    {
        RunConfig recipe = Guided("distillation") with
        {
            Schedule = new ScheduleConfig { Kind = ScheduleKind.Cosine },
            Distillation = new DistillationConfig { Transition = TransitionKind.Auto, EndBeforeDecay = true },
        };
        Assert.Contains(
            "needs a schedule with a decay phase of its own",
            Assert.Single(recipe.Validate()).ToString(),
            StringComparison.Ordinal
        );
    }

    public static TheoryData<string> Sections => new("distillation", "alignment");

    [Theory]
    [MemberData(nameof(Sections))]
    public void WithoutIt_ARecipeIsABaseline(string section)
    {
        RunConfig plain = GuidanceKinds.Without(Guided(section));
        Assert.Equal("baseline", plain.Arm);
        Assert.Null(GuidanceKinds.Named(plain));
        Assert.Null(plain.Teacher);
        Assert.Empty(plain.Validate());
    }

    [Theory]
    [MemberData(nameof(Sections))]
    public void APlan_CountsTheTeacherUpToItsLastStep(string section)
    {
        RunConfig recipe = Guided(section);
        TransformerConfig shape = recipe.Model.Resolve(300, 32);
        CostPlan cost = CostPlan.Of(recipe, shape, shape, teacherSteps: 40);
        Assert.Equal(LastStep, cost.TaughtSteps);
        Assert.Equal(cost.StudentStep / 3, cost.TeacherStep, 1e-3 * cost.StudentStep);
        Assert.False(cost.MayEndEarlier);
        Assert.True(RunPlan.Of(recipe, teacherPreset: null, teacherSteps: null).TeacherParameters > 0);
    }

    [Theory]
    [MemberData(nameof(Sections))]
    public void AStudy_KnowsTheTeacher_AndTimesItsSteps(string section)
    {
        RunConfig recipe = Guided(section);
        Assert.StartsWith("sha256:", StudyInputs.Of(recipe).Teacher, StringComparison.Ordinal);
        Assert.Null(StudyInputs.Of(GuidanceKinds.Without(recipe)).Teacher);
        StepTimes times = StepTimes.Measure(
            new Dictionary<string, RunConfig> { [recipe.Arm] = recipe },
            threads: 2,
            rounds: 1,
            _ => { },
            TestContext.Current.CancellationToken
        );
        ArmStepTimes arm = Assert.Single(times.Arms.Values);
        Assert.True(arm.Taught > 0 && arm.TeacherTraining > 0);
        Assert.Equal(40, arm.TeacherSteps);
    }

    [Fact]
    public void TwoAtOnce_AreRefusedByName()
    {
        RunConfig both = Guided("distillation") with { Alignment = Guided("alignment").Alignment };
        ConfigurationProblem problem = Assert.Single(both.Validate());
        Assert.Equal("alignment", problem.Key);
        Assert.StartsWith("and distillation do not go together", problem.Message, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Sections))]
    public void ATeacherThatIsNotThere_IsRefusedWhateverItsWeight(string section)
    {
        using var folder = new TemporaryFolder();
        RunConfig recipe = Guided(section) with { Teacher = new TeacherConfig { Path = folder["nowhere"] } };
        recipe = recipe with
        {
            Alignment = recipe.Alignment is null ? null : recipe.Alignment with { Weight = 0 },
            Distillation = recipe.Distillation is null ? null : recipe.Distillation with { Weight = 0 },
        };
        Assert.Contains(
            "nowhere does not exist",
            Assert.Throws<ConfigurationException>(() => TrainingRun.Open(recipe, folder["run"], TinyRun.Quick)).Message,
            StringComparison.Ordinal
        );
        Assert.False(Directory.Exists(folder["run"]));
    }

    [Theory]
    [InlineData(6)]
    [InlineData(7)]
    public void ARunThatIsTooShortToBeTimed_SaysSo(int steps)
    {
        RunConfig recipe = TinyRun.Shared.Plain("short", steps);
        BenchmarkResult Run() =>
            RecipeBenchmark.Run(recipe, 2, TimeSpan.Zero, _ => { }, TestContext.Current.CancellationToken);
        if (steps >= 7)
        {
            Assert.True(Run().Plain.StepSeconds > 0);
            return;
        }

        Assert.StartsWith(
            "training.steps = 6 is too short to be timed",
            Assert.Throws<ConfigurationException>(Run).Message,
            StringComparison.Ordinal
        );
    }

    private static RunConfig Guided(string section)
    {
        StepPoint start = StepPoint.FromSteps(4);
        StepPoint end = StepPoint.FromSteps(LastStep + 1);
        RunConfig recipe = TinyRun.Shared.Plain(section, 40) with
        {
            Teacher = new TeacherConfig { Path = TinyRun.Shared.TeacherFolder },
        };
        if (section == "alignment")
        {
            return recipe with
            {
                Alignment = new AlignmentConfig
                {
                    Weight = 0.5,
                    Start = start,
                    End = end,
                },
            };
        }

        return recipe with
        {
            Distillation = new DistillationConfig
            {
                Transition = TransitionKind.LinearRatio,
                Start = start,
                End = end,
            },
        };
    }
}
