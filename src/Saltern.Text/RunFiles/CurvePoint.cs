namespace Saltern.RunFiles;

/// <summary>One evaluation during a run, with what the run had cost by then.</summary>
/// <param name="Step">Steps done.</param>
/// <param name="Seconds">Step time so far; null where it was not logged.</param>
/// <param name="Flops">Arithmetic so far, a live teacher's included; null where it was not logged.</param>
/// <param name="Value">The measure: loss in nats per token, or accuracy in [0, 1].</param>
public sealed record CurvePoint(int Step, double? Seconds, double? Flops, double Value);
