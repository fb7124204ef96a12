using Saltern.Guidance;
using Saltern.Numerics;
using Saltern.Studies;

namespace Saltern.Tests.Studies;

public sealed class StudyPlanTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public StudyPlanTests() =>
        File.WriteAllText(
            _folder["base.yaml"],
            """
            name: base
            data: { path: data/none }
            model: { preset: 1.3m }
            training: { steps: 100 }
            """
        );

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Arms_AreTheBaseRecipeWithTheirKeys_BySeed()
    {
        StudyPlan plan = Read(
            """
            name: two
            base: base.yaml
            seeds: [1, 2]
            baseline: PLAIN
            common: { training.steps: 200, optimizer.learning_rate: 0.01 }
            arms:
              PLAIN: {}
              SALT: { teacher.path: runs/teacher, distillation.transition: step, distillation.start: 0.25, optimizer.learning_rate: 0.02 }
            arm_seeds: { SALT: [2] }
            """,
            "training.steps=50"
        );
        Assert.Equal([("PLAIN", 1), ("PLAIN", 2), ("SALT", 2)], plan.Runs.Select(run => (run.Arm, run.Seed)));
        Assert.Equal([1, 2, 2], plan.Runs.Select(run => run.Recipe.Seed));
        Assert.Equal("PLAIN-seed-1", plan.Runs[0].Recipe.Name);

        // base < common < --set < arm.
        Assert.Equal((50, 0.01), (plan.Runs[0].Recipe.Training.Steps, plan.Runs[0].Recipe.Optimizer.LearningRate));
        Assert.Equal((50, 0.02), (plan.Runs[2].Recipe.Training.Steps, plan.Runs[2].Recipe.Optimizer.LearningRate));
        Assert.Equal(TransitionKind.Step, plan.Runs[2].Recipe.Distillation!.Transition);
        Assert.Equal(Path.Combine("SALT", "seed-2"), plan.Runs[2].RelativePath);
    }

    [Fact]
    public void APrecisionLeftOpen_IsPinnedForAllArms_AndNoOtherIsChanged()
    {
        StudyPlan plan = Read(
            """
            name: open
            base: base.yaml
            seeds: [1]
            baseline: PLAIN
            common: { precision: auto }
            arms: { PLAIN: {}, EXACT: { precision: fp32 } }
            """
        );
        Assert.True(plan.HasOpenPrecision);
        StudyPlan pinned = plan.WithPrecision(ComputePrecision.Bf16);
        Assert.False(pinned.HasOpenPrecision);
        Assert.Equal([ComputePrecision.Bf16, ComputePrecision.Fp32], pinned.Runs.Select(run => run.Recipe.Precision));
    }

    [Fact]
    public void MistakesOfAllArms_AreListedOnce()
    {
        ConfigurationException refused = Assert.Throws<ConfigurationException>(() =>
            Read(
                """
                name: two
                base: base.yaml
                seeds: [1, 2]
                baseline: A
                arms: { A: { optimizer.learning_rat: 1 }, B: { distillation.transition: sideways } }
                """
            )
        );
        Assert.Equal(
            2,
            refused.Problems.Count(problem =>
                problem.Contains(", arm ", StringComparison.Ordinal)
                && (
                    problem.Contains("learning_rat", StringComparison.Ordinal)
                    || problem.Contains("sideways", StringComparison.Ordinal)
                )
            )
        );
    }

    [Theory]
    [InlineData("baseline: C\narms: { A: {} }", "C is none of the arms A")]
    [InlineData("baseline: A\narms: { A: {}, ../B: {} }", "'../B', which is also a folder's")]
    [InlineData("baseline: A\narms: { A: {} }\narm_seeds: { B: [1] }", "B, which is none of the arms")]
    [InlineData("baseline: A\narms: { A: { seed: 3 } }", "given by the study itself")]
    [InlineData("baseline: A\nseeds: [1, 1]\narms: { A: {} }", "one is there twice")]
    public void WhatContradictsItself_IsRefused(string rest, string said)
    {
        ConfigurationException refused = Assert.Throws<ConfigurationException>(() =>
            Read("name: two\nbase: base.yaml\n" + rest + "\n")
        );
        Assert.Contains(said, refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AMissingBase_IsNamed() =>
        Assert.Contains(
            "gone.yaml",
            Assert
                .Throws<ConfigurationException>(() => Read("name: x\nbase: gone.yaml\nbaseline: A\narms: { A: {} }\n"))
                .Message,
            StringComparison.Ordinal
        );

    private StudyPlan Read(string study, params string[] overrides)
    {
        File.WriteAllText(_folder["study.yaml"], study);
        return StudyPlan.Read(_folder["study.yaml"], overrides);
    }
}
