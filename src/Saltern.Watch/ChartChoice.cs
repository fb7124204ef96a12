namespace Saltern.Watch;

/// <summary>How the reader wants the charts.</summary>
/// <param name="Looks">As from <see cref="ArmLook.Of"/>, of all runs, those that are hidden too.</param>
/// <param name="Axis">What to draw them against.</param>
/// <param name="Smoothing">Weight of what came before, from 0 (as logged) to below 1; see <see cref="Smoothing"/>.</param>
internal sealed record ChartChoice(IReadOnlyDictionary<string, ArmLook> Looks, RunAxis Axis, double Smoothing = 0);
