using Saltern.Models;

namespace Saltern.Optimization;

/// <summary>What AdamW does to some of the weights: all of them, or the embedding, the head and the rest apart.</summary>
/// <param name="RateRatio">Their highest learning rate over the recipe's.</param>
/// <param name="WeightDecay">δ, 0 for vectors.</param>
/// <param name="Cautious">Whether only weights decay that the update makes smaller too.</param>
/// <param name="HasOwnBetas">Whether its betas are its own: a scheduled momentum passes it by.</param>
internal sealed record AdamWGroup(
    double RateRatio,
    double Beta1,
    double Beta2,
    double Epsilon,
    double WeightDecay,
    bool Cautious,
    bool HasOwnBetas
)
{
    /// <summary>The group that a weight belongs to; equal ones are one.</summary>
    /// <param name="weight">Its name in a checkpoint.</param>
    /// <param name="decays">Whether it is a matrix.</param>
    public static AdamWGroup Of(OptimizerConfig config, string weight, bool decays)
    {
        WeightGroupConfig? own = weight switch
        {
            DecoderLayout.EmbeddingName => config.Embedding,
            DecoderLayout.HeadName => config.Head,
            _ => null,
        };
        double rate = own?.LearningRate ?? config.AdamwLearningRate ?? config.LearningRate;
        IReadOnlyList<double> betas = own?.Betas ?? config.Betas;
        double decay = decays ? own?.WeightDecay ?? config.WeightDecay : 0.0;
        return new AdamWGroup(
            rate / config.LearningRate,
            betas[0],
            betas[1],
            config.Epsilon,
            decay,
            config.CautiousWeightDecay && decay > 0,
            own?.Betas is not null
        );
    }

    /// <summary>The numbers of one update.</summary>
    /// <param name="takesMomentum">Whether <see cref="UpdateStep.Momentum"/> is this group's β₁.</param>
    public AdamWStep At(UpdateStep step, bool takesMomentum)
    {
        double rate = step.LearningRate * RateRatio;
        double beta1 = takesMomentum && !HasOwnBetas ? step.Momentum ?? Beta1 : Beta1;
        return new AdamWStep(
            step.Clip,
            beta1,
            Beta2,
            rate / (1.0 - Math.Pow(beta1, step.UpdateCount)),
            1.0 / Math.Sqrt(1.0 - Math.Pow(Beta2, step.UpdateCount)),
            Epsilon,
            1.0 - (rate * WeightDecay * step.DecayShare),
            Cautious
        );
    }
}

/// <summary>The numbers of one update of a group.</summary>
/// <param name="Clip">Factor of every gradient.</param>
/// <param name="Rate">η/(1 − β₁ᵘ).</param>
/// <param name="RootCorrection">1/√(1 − β₂ᵘ).</param>
/// <param name="Keep">What decay leaves of a weight: 1 − ηδ.</param>
/// <param name="Cautious">Whether only weights decay that the update makes smaller too.</param>
internal readonly record struct AdamWStep(
    double Clip,
    double Beta1,
    double Beta2,
    double Rate,
    double RootCorrection,
    double Epsilon,
    double Keep,
    bool Cautious
);
