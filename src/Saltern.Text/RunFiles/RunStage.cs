namespace Saltern.RunFiles;

/// <summary>A part of a run with a smaller model, which is over: what the run had done and cost by then.</summary>
internal sealed record RunStage
{
    /// <summary>The step that the model grew after.</summary>
    public required int LastStep { get; init; }

    /// <summary>Parameters of the smaller model.</summary>
    public long Parameters { get; init; }

    /// <summary>Its layers.</summary>
    public int Layers { get; init; }

    /// <summary>Width of its residual stream.</summary>
    public int HiddenSize { get; init; }

    /// <summary>FLOPs of the run up to the growth, a live teacher's included.</summary>
    public double Flops { get; init; }

    /// <summary>The live teacher's part of them.</summary>
    public double TeacherFlops { get; init; }

    /// <summary>Step time of the run up to the growth, seconds.</summary>
    public double Seconds { get; init; }

    /// <summary>Tokens of the run up to the growth.</summary>
    public long Tokens { get; init; }
}
