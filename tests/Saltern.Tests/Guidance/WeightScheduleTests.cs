using Saltern.Configuration;
using Saltern.Guidance;

namespace Saltern.Tests.Guidance;

public class WeightScheduleTests
{
    [Fact]
    public void ConstantAndNoWeight_NeedNoWindow()
    {
        Assert.Equal((40, 41), Schedule(TransitionKind.Constant, null, null).Window(40));
        Assert.Equal((0, 1), (Schedule(TransitionKind.Constant, null, null) with { Weight = 0 }).Window(40));
        Assert.Equal((0, 1), (Schedule(TransitionKind.Linear, null, null) with { Weight = 0 }).Window(40));
    }

    [Theory]
    [InlineData(TransitionKind.Linear, 50, 100, 50, 100)]
    [InlineData(TransitionKind.Linear, 99, 99, 99, 100)] // an empty window lasts one step
    [InlineData(TransitionKind.Step, 100, null, 100, 101)]
    [InlineData(TransitionKind.Step, 25, null, 25, 26)]
    public void Window_EndsInsideTheRun(TransitionKind kind, int start, int? end, int lastFull, int firstZero) =>
        Assert.Equal((lastFull, firstZero), Schedule(kind, start, end).Window(100));

    [Theory]
    [InlineData(
        TransitionKind.Linear,
        50,
        101,
        "distillation.start = 50 and distillation.end = 101 are steps 50 and 101 of 100"
    )]
    [InlineData(TransitionKind.Linear, 60, 50, "must run forward")]
    [InlineData(TransitionKind.Linear, 100, 100, "of 100")] // its one step would be 101
    [InlineData(TransitionKind.Step, 101, null, "distillation.end = (none)")]
    public void Window_ThatRunsBackwardsOrBeyondTheRun_IsRefused(
        TransitionKind kind,
        int start,
        int? end,
        string said
    ) =>
        Assert.Contains(
            said,
            Assert.Throws<ConfigurationException>(() => Schedule(kind, start, end).Window(100)).Message,
            StringComparison.Ordinal
        );

    [Theory]
    [InlineData(TransitionKind.Linear, 1, 2, null)]
    [InlineData(TransitionKind.Linear, null, null, "start")]
    [InlineData(TransitionKind.LinearRatio, null, 2, "start")]
    [InlineData(TransitionKind.Cosine, 1, null, "end")]
    [InlineData(TransitionKind.Step, 1, null, null)]
    [InlineData(TransitionKind.Step, null, null, "start")]
    [InlineData(TransitionKind.Step, 1, 2, "end")]
    [InlineData(TransitionKind.Constant, null, null, null)]
    [InlineData(TransitionKind.Constant, 1, null, "start")]
    [InlineData(TransitionKind.Constant, null, 2, "end")]
    [InlineData(TransitionKind.Auto, null, null, null)]
    [InlineData(TransitionKind.Auto, 1, null, "start")]
    public void Validate_NamesWhatTheShapeLacksOrDoesNotUse(TransitionKind kind, int? start, int? end, string? key)
    {
        string[] expected = key is null ? [] : [key];
        Assert.Equal(expected, Schedule(kind, start, end).Validate().Select(problem => problem.Key));
    }

    [Fact]
    public void Validate_CallsTheShapeAsTheRecipeDoes()
    {
        Assert.Contains("'linear_ratio' runs from start to end", Said(TransitionKind.LinearRatio, null, null));
        Assert.Contains("'cosine' runs from start to end", Said(TransitionKind.Cosine, null, null));
        Assert.Contains("'step' needs the last step", Said(TransitionKind.Step, null, null));
        Assert.Contains("'constant'. Remove it", Said(TransitionKind.Constant, 1, null));
        Assert.Contains("'step'. Remove it", Said(TransitionKind.Step, 1, 2));

        static string Said(TransitionKind kind, int? start, int? end) =>
            Assert.Single(Schedule(kind, start, end).Validate()).Message;
    }

    private static WeightSchedule Schedule(TransitionKind kind, int? start, int? end) =>
        new("distillation", kind, 0.5, Steps(start), Steps(end));

    private static StepPoint? Steps(int? steps)
    {
        if (steps is int count)
        {
            return StepPoint.FromSteps(count);
        }

        return null;
    }
}
