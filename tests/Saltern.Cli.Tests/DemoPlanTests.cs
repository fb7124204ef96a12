using Saltern.Cli.Demo;
using Saltern.Configuration;
using Saltern.Runs;

namespace Saltern.Cli.Tests;

public class DemoPlanTests
{
    [Fact]
    public void TheDefault_HasTheSizesTheReadmeNames()
    {
        DemoPlan plan = DemoPlan.ForMinutes(5);
        Assert.Equal(
            ("1m", "0.3m", 2_048, 128, 500),
            (plan.StudentPreset, plan.TeacherPreset, plan.Vocabulary, plan.SequenceLength, plan.Steps)
        );
        Assert.True(plan.Limit <= TimeSpan.FromMinutes(7.5));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(12)]
    [InlineData(60)]
    public void APlan_IsAPureFunctionOfTheMinutes_AndItsRecipesAreValid(double minutes)
    {
        DemoPlan plan = DemoPlan.ForMinutes(minutes);
        Assert.Equal(plan, DemoPlan.ForMinutes(minutes));
        foreach (
            RunConfig recipe in new[]
            {
                plan.Teacher("data", 1),
                plan.Baseline("data", 1),
                plan.Salt("data", "teacher", 1),
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
    public void BaselineAndSalt_DifferInTheTeacherAlone()
    {
        DemoPlan plan = DemoPlan.ForMinutes(5);
        Assert.All(
            RecipeDiff.Compare(plan.Baseline("d", 4), plan.Salt("d", "t", 4)),
            change =>
                Assert.True(
                    change.Path == "name"
                        || change.Path.StartsWith("teacher", StringComparison.Ordinal)
                        || change.Path.StartsWith("distillation", StringComparison.Ordinal),
                    change.Path
                )
        );
    }

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
