using Saltern.Files;
using Saltern.Models;
using Saltern.Runs;

namespace Saltern.Tests.Runs;

public class RunLimitsTests
{
    private static readonly TransformerConfig Model = new()
    {
        VocabSize = 1000,
        HiddenSize = 100,
        NumHiddenLayers = 1,
        NumAttentionHeads = 2,
        IntermediateSize = 100,
    };

    [Fact]
    public void WhatCannotFit_IsRefusedWithItsLimit()
    {
        long weights = ModelFlops.Parameters(Model) * sizeof(float);
        RunLimits.Require(Model, onCpu: true, weights, (2 * weights, "memory.max"));
        RunLimits.Require(Model, onCpu: false, null, (1, "memory.max"));
        string message = Assert
            .Throws<ConfigurationException>(() =>
                RunLimits.Require(Model, onCpu: true, weights - 1, ((2 * weights) - 1, "memory.max"))
            )
            .Message;
        Assert.Contains("ulimit -f", message, StringComparison.Ordinal);
        Assert.Contains("GiB (memory.max)", message, StringComparison.Ordinal);
    }

    [Fact]
    public void MemoryLimits_AreRead()
    {
        (long bytes, string what) = SystemLimits.Memory();
        Assert.InRange(bytes, 1L << 26, 1L << 50);
        Assert.NotEmpty(what);
    }

    [Fact]
    public void Refusals_NameTheirLimit()
    {
        Assert.Contains(
            "ulimit -n",
            SystemLimits.Reason(new IOException("Too many open files : 'x'", 24)),
            StringComparison.Ordinal
        );
        Assert.StartsWith(
            "Memory, or a thread, was refused: ",
            SystemLimits.Reason(new InsufficientMemoryException()),
            StringComparison.Ordinal
        );
        Assert.False(SystemLimits.Refuses(new ArgumentOutOfRangeException("value")));
        Assert.False(SystemLimits.Refuses(new InvalidOperationException()));
    }
}
