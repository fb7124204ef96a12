using Saltern.RunFiles;

namespace Saltern.Tests.RunFiles;

public class MetricNamesTests
{
    [Fact]
    public void NamesOfFamilies_AreThoseOfTheFormat()
    {
        Assert.Equal("valid/wiki/loss", MetricNames.DomainLoss("wiki"));
        Assert.Equal("valid/bucket/easy/loss", MetricNames.BucketLoss("easy"));
        Assert.Equal("valid/task/lastword/acc", MetricNames.Task("lastword", "acc"));
    }

    [Theory]
    [InlineData("valid/wiki/loss", "wiki")]
    [InlineData("valid/loss", null)]
    [InlineData("valid/wiki/accuracy", null)]
    [InlineData("train/wiki/loss", null)]
    [InlineData("valid/bucket/loss", null)]
    [InlineData("valid/bucket/easy/loss", null)]
    [InlineData("valid/task/lastword/acc", null)]
    public void DomainOf_FindsDomainsOnly(string name, string? expected) =>
        Assert.Equal(expected, MetricNames.DomainOf(name));

    [Theory]
    [InlineData("valid/calibration_error", "calibration error")]
    [InlineData("valid/task/last_word/exact_match", "last_word exact_match")]
    public void Words_AreForPeople(string name, string expected) => Assert.Equal(expected, MetricNames.Words(name));
}
