namespace Saltern.Guidance;

/// <summary>No small model: there never was one, or a resumed run has stage 1 behind it.</summary>
/// <param name="domainCount">Domains of the data.</param>
/// <param name="transition">State of a stage 1 that is over; null where there never was one.</param>
internal sealed class NoGuidance(int domainCount, Transition? transition = null)
    : StageGuidance(transition, isActive: false)
{
    /// <inheritdoc/>
    public override StageWeights Next(int step, double learningRate) =>
        Transition?.Next(step, learningRate) ?? new StageWeights(0, new double[domainCount]);
}
