using Saltern.Guidance;
using Saltern.Losses;

namespace Saltern.Tests.Guidance;

// Mistakes in the section `distillation` that concern gates: each is named by its key, and no right setting is.
public class GateConfigTests
{
    public static TheoryData<string, DistillationConfig, string?> Settings =>
        new()
        {
            { "no gate", Auto, null },
            {
                "factors renormalised",
                Auto with
                {
                    Gate = GateKind.Entropy,
                    GateThreshold = 2,
                    Renormalise = true,
                },
                null
            },
            { "nothing to renormalise", Auto with { Renormalise = true }, "renormalise" },
            { "a probability", Auto with { Gate = GateKind.TopProbability, GateThreshold = 1 }, null },
            { "above one", Auto with { Gate = GateKind.TopProbability, GateThreshold = 1.5 }, "gate_threshold" },
            { "observed above one", Auto with { Gate = GateKind.Observed, GateThreshold = 1.5 }, "gate_threshold" },
            { "nats above one", Auto with { Gate = GateKind.Entropy, GateThreshold = 1.5 }, null },
            { "no threshold", Auto with { Gate = GateKind.Entropy }, "gate_threshold" },
            { "a threshold of 0", Auto with { Gate = GateKind.Observed, GateThreshold = 0 }, "gate_threshold" },
            { "a threshold for none", Auto with { GateThreshold = 0.5 }, "gate_threshold" },
            { "three factors", Auto with { Gate = GateKind.Bucket, GateBuckets = [0, 0.5, 1] }, null },
            { "no factors", Auto with { Gate = GateKind.Bucket }, "gate_buckets" },
            { "two factors", Auto with { Gate = GateKind.Bucket, GateBuckets = [0, 1] }, "gate_buckets" },
            { "a factor of 2", Auto with { Gate = GateKind.Bucket, GateBuckets = [0, 1, 2] }, "gate_buckets" },
            {
                "equal bounds",
                Auto with
                {
                    Gate = GateKind.Bucket,
                    GateBuckets = [0, 1, 1],
                    GateBucketBounds = [2, 2],
                },
                null
            },
            {
                "bounds that descend",
                Auto with
                {
                    Gate = GateKind.Bucket,
                    GateBuckets = [0, 1, 1],
                    GateBucketBounds = [3, 2],
                },
                "gate_bucket_bounds"
            },
            {
                "one bound",
                Auto with
                {
                    Gate = GateKind.Bucket,
                    GateBuckets = [0, 1, 1],
                    GateBucketBounds = [2],
                },
                "gate_bucket_bounds"
            },
            { "factors for none", Auto with { GateBuckets = [0, 1, 1] }, "gate_buckets" },
            { "bounds for none", Auto with { GateBucketBounds = [1, 2] }, "gate_buckets" },
            { "a domain", Auto with { Gate = GateKind.Domain, GateDomains = Domain("wiki", 1) }, null },
            { "no domain", Auto with { Gate = GateKind.Domain }, "gate_domains" },
            {
                "a domain's factor below 0",
                Auto with
                {
                    Gate = GateKind.Domain,
                    GateDomains = Domain("wiki", -0.1),
                },
                "gate_domains"
            },
            { "domains for none", Auto with { GateDomains = Domain("wiki", 1) }, "gate_domains" },
        };

    [Theory]
    [MemberData(nameof(Settings))]
    public void Mistakes_AreNamedByTheirKey(string name, DistillationConfig config, string? key)
    {
        string[] expected = key is null ? [] : [key];
        Assert.True(
            expected.SequenceEqual(config.Validate().Select(problem => problem.Key)),
            $"{name}: {string.Join(' ', config.Validate())}"
        );
    }

    [Theory]
    [InlineData(TransitionKind.Auto, 1.0, "weight")]
    [InlineData(TransitionKind.Auto, 0.99, null)]
    [InlineData(TransitionKind.Constant, 1.0, null)]
    public void AWeightOfOne_HasNoRatio(TransitionKind kind, double weight, string? key) =>
        Assert.Equal(
            key,
            new DistillationConfig { Transition = kind, Weight = weight }
                .Validate()
                .SingleOrDefault()
                ?.Key
        );

    [Fact]
    public void AGapThatEndsAboveWhereItBegins_IsNamed() =>
        Assert.Equal(
            ["gap_low"],
            (Auto with { GapLow = 0.4, GapHigh = 0.4 }).Validate().Select(problem => problem.Key)
        );

    private static DistillationConfig Auto => new() { Transition = TransitionKind.Auto };

    private static Dictionary<string, double> Domain(string name, double factor) => new() { [name] = factor };
}
