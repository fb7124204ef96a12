using Saltern.RunFiles;

namespace Saltern.Watch;

/// <summary>What the charts are drawn against.</summary>
public enum RunAxis
{
    /// <summary>Optimizer steps.</summary>
    Steps,

    /// <summary>Tokens trained on.</summary>
    Tokens,

    /// <summary>Seconds in steps, without evaluations and checkpoints.</summary>
    Seconds,

    /// <summary>Floating-point operations of the steps, a live teacher's passes included and its training not.</summary>
    Flops,
}

/// <summary>Names and forms of the axes.</summary>
internal static class RunAxes
{
    /// <summary>Name of the logged values behind an axis (docs/run-format.md); null for the steps themselves.</summary>
    public static string? Series(RunAxis axis) =>
        axis switch
        {
            RunAxis.Tokens => MetricNames.Tokens,
            RunAxis.Seconds => MetricNames.Seconds,
            RunAxis.Flops => MetricNames.Flops,
            _ => null,
        };

    /// <summary>Under the charts, and in the chooser.</summary>
    public static string Title(RunAxis axis) =>
        axis switch
        {
            RunAxis.Tokens => "tokens",
            RunAxis.Seconds => "seconds in steps",
            RunAxis.Flops => "FLOPs, the live teacher's included",
            _ => "steps",
        };

    /// <summary>What is the same where two runs are compared: "at the same …".</summary>
    public static string Unit(RunAxis axis) =>
        axis switch
        {
            RunAxis.Tokens => "number of tokens",
            RunAxis.Seconds => "time in steps",
            RunAxis.Flops => "number of FLOPs",
            _ => "step",
        };

    /// <summary>Form of a value that is pointed at, as d3-format has it.</summary>
    public static string Hover(RunAxis axis) =>
        axis switch
        {
            RunAxis.Flops => ".3~s",
            _ => ",d",
        };

    /// <summary>Form of the ticks, as d3-format has it.</summary>
    public static string Ticks(RunAxis axis) =>
        axis switch
        {
            RunAxis.Tokens => "~s",
            RunAxis.Flops => "~s",
            _ => ",d",
        };
}
