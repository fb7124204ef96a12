using Saltern.Cli.Demo;
using Saltern.Configuration;
using Saltern.Runs;

namespace Saltern.Cli.Tests;

public class DemoPlanTests
{
    // A quiet machine: 60 ms a step, 50 for GROWN, 20 for the teacher, evaluations of half a second.
    private static readonly DemoSpeed Quiet = new(0.06, 0.05, 0.02, 0.5, 1);

    [Fact]
    public void TheDefault_HasTheSizesTheReadmeNames()
    {
        DemoPlan plan = DemoPlan.ForMinutes(5);
        Assert.Equal(
            ("1m", "0.3m", 2_048, 128),
            (plan.StudentPreset, plan.TeacherPreset, plan.Vocabulary, plan.SequenceLength)
        );
        Assert.Throws<ConfigurationException>(() => DemoPlan.ForMinutes(0.1));
        Assert.Throws<ConfigurationException>(() => DemoPlan.ForMinutes(601));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(5)]
    [InlineData(60)]
    public void APlan_FillsItsMinutesAndNoMore(double minutes)
    {
        DemoPlan plan = DemoPlan.ForMinutes(minutes).Fitting(minutes, spent: 8, Quiet);
        Assert.True(plan.Steps == 100 || plan.Seconds(Quiet) + 8 <= minutes * 60);
        Assert.True((plan with { Steps = plan.Steps + 50 }).Seconds(Quiet) + 8 > minutes * 60);
        Assert.Equal(2 * plan.Steps, plan.TeacherSteps);
    }

    [Fact]
    public void OnABusyMachine_ItTakesLonger_AndDoesNotShrinkAtOnce()
    {
        // Three quarters of the time is the machine's own: the quiet plan's steps still fit into 8 minutes.
        DemoSpeed busy = new(0.08, 0.0667, 0.0267, 0.667, 0.75);
        DemoPlan quiet = DemoPlan.ForMinutes(5).Fitting(5, 8, Quiet);
        Assert.Equal(quiet.Steps, DemoPlan.ForMinutes(5).Fitting(5, 8, busy).Steps, 50.0);

        // Four times as slow, they would not.
        DemoSpeed crowded = new(0.24, 0.2, 0.08, 2, 0.25);
        DemoPlan shrunk = DemoPlan.ForMinutes(5).Fitting(5, 8, crowded);
        Assert.InRange(shrunk.Steps, 100, quiet.Steps / 2);
        Assert.True(shrunk.Seconds(crowded) + 8 <= 8 * 60);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(12)]
    [InlineData(60)]
    public void Recipes_AreThoseThatAFileWouldGive(double minutes)
    {
        DemoPlan plan = DemoPlan.ForMinutes(minutes);
        foreach (
            RunConfig recipe in new[]
            {
                plan.Teacher("data", 1),
                plan.Baseline("data", 1),
                plan.Salt("data", "teacher", 1),
                plan.Grown("data", 1),
            }
        )
        {
            Assert.Equal(
                RecipeWriter.Write(recipe),
                RecipeWriter.Write(RecipeReader.Parse<RunConfig>(RecipeWriter.Write(recipe), "plan", []))
            );
        }
    }

    [Fact]
    public void Students_DifferInWhatIsTriedAlone()
    {
        DemoPlan plan = DemoPlan.ForMinutes(5);
        Assert.All(
            RecipeDiff.Compare(plan.Baseline("d", 4), plan.Salt("d", "t", 4)),
            change => Assert.True(change.Path.Split('.')[0] is "name" or "teacher" or "distillation", change.Path)
        );
        Assert.All(
            RecipeDiff.Compare(plan.Baseline("d", 4), plan.Grown("d", 4)),
            change => Assert.True(change.Path.Split('.', '[')[0] is "name" or "growth", change.Path)
        );
    }

    [Theory]
    [InlineData(0.85, 1.3, 0.8, 0.8, "GROWN came to where BASELINE ended in 80 % of its time, everything charged.")]
    [InlineData(
        0.7,
        1.3,
        0.8,
        0.8,
        "GROWN came to where BASELINE ended in 80 % of its time, everything charged; SALT in 70 % for who has the small model already."
    )]
    [InlineData(
        0.85,
        1.3,
        null,
        null,
        "SALT came to where BASELINE ended in 85 % of its time with the small model for nothing; with its training "
            + "charged the cheapest way, SALT, took 130 %: no saving for one student."
    )]
    [InlineData(
        null,
        null,
        null,
        null,
        "No way came to where BASELINE ended: on this text, with this seed, the small model did not help."
    )]
    public void TheLastSentence_SaysTheCheapestWays(
        double? saltFree,
        double? saltCharged,
        double? grownFree,
        double? grownCharged,
        string expected
    ) =>
        Assert.Equal(
            expected,
            DemoEnding.Sentence(
                "BASELINE",
                "time",
                [new("SALT", saltFree, saltCharged), new("GROWN", grownFree, grownCharged)]
            )
        );

    [Fact]
    public void TextChart_DrawsBothCurves()
    {
        string chart = TextChart.Draw(
            [('o', [(0, 5.0), (50, 4.0), (100, 3.0)]), ('*', [(0, 4.0), (50, 3.0), (100, 2.0)])],
            100,
            21,
            4
        );
        Assert.Equal(
            """
              5.000 |o                    
              4.000 |*         o          
              3.000 |          *         o
              2.000 |                    *
                    +---------------------
                     0                 100
            """.ReplaceLineEndings("\n"),
            chart
        );
    }
}
