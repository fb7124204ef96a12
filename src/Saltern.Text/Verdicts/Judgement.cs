using System.Text.Json;

namespace Saltern.Verdicts;

/// <summary>A verdict held to the strict rules: enough paired seeds, p after a correction for the number of arms, and the smallest effect that could have been seen (docs/judging.md).</summary>
/// <param name="Baseline">Name of the baseline's arm.</param>
/// <param name="BaselineLoss">Its final loss, nats per token, mean over seeds.</param>
/// <param name="BaselineSteps">Its steps.</param>
/// <param name="BaselineFlops">Its arithmetic, FLOPs.</param>
/// <param name="Claims">Every arm by every measure, arm after arm.</param>
internal sealed record Judgement(
    string Baseline,
    double BaselineLoss,
    double BaselineSteps,
    double BaselineFlops,
    IReadOnlyList<Claim> Claims
)
{
    private static readonly (ClaimMeasure Measure, string Member)[] Members =
    [
        (ClaimMeasure.FinalLoss, "final_loss_difference"),
        (ClaimMeasure.EqualChargedFlops, "equal_charged_flops_difference"),
        (ClaimMeasure.Steps, "steps_ratio"),
        (ClaimMeasure.Flops, "flops_ratio"),
        (ClaimMeasure.FlopsCharged, "flops_ratio_teacher_charged"),
        (ClaimMeasure.Time, "seconds_ratio"),
        (ClaimMeasure.TimeCharged, "seconds_ratio_teacher_charged"),
    ];

    /// <summary>Judges a verdict as its file has it (docs/verdict-format.md).</summary>
    /// <param name="verdict">Schema <c>saltern.verdict/1</c>; members that an older program did not write are not known.</param>
    /// <param name="name">What errors call it.</param>
    /// <exception cref="DataFormatException">It is no verdict.</exception>
    public static Judgement Of(JsonElement verdict, string name)
    {
        try
        {
            if (verdict.GetProperty("schema").GetString() != Verdict.CurrentSchema)
            {
                throw new DataFormatException(
                    $"{name} has the schema '{verdict.GetProperty("schema")}', not '{Verdict.CurrentSchema}'. "
                        + "Give a verdict.json that 'saltern study' or 'saltern compare --json' wrote."
                );
            }

            JsonElement baseline = verdict.GetProperty("baseline");
            JsonElement[] arms = [.. verdict.GetProperty("runs").EnumerateArray()];
            return new Judgement(
                Label(baseline),
                baseline.GetProperty("final_loss").GetDouble(),
                baseline.GetProperty("steps").GetDouble(),
                baseline.GetProperty("flops").GetDouble(),
                [
                    .. Members
                        .SelectMany(member =>
                            Corrected([.. arms.Select(arm => Of(arm, member.Measure, member.Member))])
                        )
                        .GroupBy(claim => claim.Arm)
                        .SelectMany(arm => arm),
                ]
            );
        }
        catch (Exception e) when (e is KeyNotFoundException or InvalidOperationException)
        {
            throw new DataFormatException(
                $"{name} is no verdict: {e.Message} Give a verdict.json that 'saltern study' or 'saltern compare --json' wrote."
            );
        }
    }

    private static Claim Of(JsonElement arm, ClaimMeasure measure, string member)
    {
        JsonElement[] pairs = [.. arm.GetProperty("pairs").EnumerateArray()];
        bool isTime = measure is ClaimMeasure.Time or ClaimMeasure.TimeCharged;
        double[] values =
        [
            .. pairs
                .Where(pair => !isTime || arm.GetProperty("seconds_comparable").GetBoolean())
                .Select(pair => pair.TryGetProperty(member, out JsonElement value) ? value : default)
                .Where(value => value.ValueKind == JsonValueKind.Number)
                .Select(value => value.GetDouble()),
        ];
        var claim = new Claim
        {
            Arm = Label(arm),
            Measure = measure,
            Seeds = pairs.Length,
            SmallModels = (int?)NumberOf(arm, "small_models"),
            Whole = new WholeCost(
                NumberOf(arm, "whole_flops_ratio_teacher_charged"),
                arm.GetProperty("seconds_comparable").GetBoolean()
                    ? NumberOf(arm, "whole_seconds_ratio_teacher_charged")
                    : null
            ),
            Paired = arm.GetProperty("paired").GetBoolean(),
        };
        if (values.Length == 0 || values.Length < pairs.Length)
        {
            return claim;
        }

        int wrong = Array.FindIndex(values, value => !double.IsFinite(value) || (claim.IsRatio && value <= 0));
        if (wrong >= 0)
        {
            throw new InvalidOperationException(
                $"{member} of pair {wrong + 1} of {claim.Arm} is {pairs[wrong].GetProperty(member)}."
            );
        }

        claim = Tested(claim, values);
        if (measure == ClaimMeasure.FinalLoss && NumberOf(arm, "documents") is double documents)
        {
            // Another text, or another small model, would have given another difference, too.
            double error = arm.GetProperty("final_loss_difference_crossed_se").GetDouble();
            int degrees = arm.GetProperty("final_loss_difference_crossed_degrees").GetInt32();
            double half = StudentT.Quantile975(degrees) * error;
            double mean = claim.Effect!.Mean;
            claim = claim with
            {
                Documents = (int)documents,
                Effect = new PairedInterval(mean, mean - half, mean + half, values.Length),
                StandardError = error,
                DegreesOfFreedom = degrees,
                P = POf(mean, error, degrees),
            };
        }

        return claim;
    }

    // Over seeds alone.
    private static Claim Tested(Claim claim, double[] values)
    {
        PairedInterval effect = PairedInterval.OfDifferences(values);
        double[] tested = values;
        if (claim.IsRatio)
        {
            effect = PairedInterval.OfRatios(values);
            tested = [.. values.Select(value => Math.Log(value))];
        }

        if (tested.Length < 2)
        {
            return claim with { Effect = effect };
        }

        double error = StandardError(tested);
        return claim with
        {
            Effect = effect,
            StandardError = error,
            DegreesOfFreedom = tested.Length - 1,
            P = POf(tested.Average(), error, tested.Length - 1),
        };
    }

    private static double? NumberOf(JsonElement arm, string member)
    {
        if (arm.TryGetProperty(member, out JsonElement value) && value.ValueKind == JsonValueKind.Number)
        {
            return value.GetDouble();
        }

        return null;
    }

    private static string Label(JsonElement of) =>
        of.GetProperty("label").GetString() ?? throw new InvalidOperationException("A label is null.");

    // Student's paired t test, two-sided.
    private static double POf(double mean, double error, int degrees)
    {
        if (error > 0)
        {
            return 1 - StudentT.ProbabilityWithin(Math.Abs(mean) / error, degrees);
        }

        return mean == 0 ? 1 : 0;
    }

    private static double StandardError(double[] values)
    {
        double mean = values.Average();
        return Math.Sqrt(values.Sum(x => (x - mean) * (x - mean)) / (values.Length - 1) / values.Length);
    }

    // Holm (1979): the smallest of m counts m times, the next m − 1 times …, none less than one before it. An arm without a p was tried, too.
    private static Claim[] Corrected(Claim[] arms)
    {
        Claim[] tested = [.. arms.Where(claim => claim.P is not null).OrderBy(claim => claim.P)];
        double largest = 0;
        foreach ((int rank, Claim claim) in tested.Index())
        {
            largest = Math.Max(largest, Math.Min(1, (arms.Length - rank) * claim.P!.Value));
            double adjusted = largest;
            arms[Array.IndexOf(arms, claim)] = claim with
            {
                AdjustedP = adjusted,
                SmallestDetectable = Detectable(claim, arms.Length),
            };
        }

        return arms;
    }

    // (t of p = bound/m, two-sided, + t of the power) standard errors: what a test of this spread finds so often.
    private static double Detectable(Claim claim, int arms)
    {
        int degrees = claim.DegreesOfFreedom;
        double least =
            (StudentT.Within(1 - (Claim.LargestP / arms), degrees) + StudentT.Within((2 * Claim.Power) - 1, degrees))
            * claim.StandardError!.Value;
        return claim.IsRatio ? Math.Exp(-least) : least;
    }
}
