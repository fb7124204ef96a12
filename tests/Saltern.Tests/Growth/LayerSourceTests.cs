using Saltern.Growth;

namespace Saltern.Tests.Growth;

public class LayerSourceTests
{
    [Theory]
    [InlineData(DepthOperator.Stack, 2, "0 1 0 1")]
    [InlineData(DepthOperator.Stack, 1, "0 0 0 0")]
    [InlineData(DepthOperator.Stack, 4, "0 1 2 3")]
    [InlineData(DepthOperator.Interleave, 2, "0 0 1 1")]
    [InlineData(DepthOperator.Middle, 3, "0 1 1 2")]
    [InlineData(DepthOperator.Middle, 2, "0 1 0 1")]
    [InlineData(DepthOperator.Zero, 3, "0 0 1 2")]
    [InlineData(DepthOperator.Zero, 2, "0 0 1 1")]
    public void FourLayers_ComeFrom(DepthOperator growth, int before, string expected) =>
        Assert.Equal(expected, string.Join(' ', LayerSource.Of(growth, before, 4).Select(layer => layer.Layer)));

    [Fact]
    public void MiddleOfSix_IsTheMiddle() =>
        Assert.Equal(
            "0 1 2 3 2 3 4 5",
            string.Join(' ', LayerSource.Of(DepthOperator.Middle, 6, 8).Select(layer => layer.Layer))
        );

    [Fact]
    public void CopiesAreNew_AndOnlyZeros_AreSilent()
    {
        Assert.Equal(
            [false, false, true, true],
            LayerSource.Of(DepthOperator.Stack, 2, 4).Select(layer => layer.IsNew)
        );
        Assert.DoesNotContain(LayerSource.Of(DepthOperator.Stack, 2, 4), layer => layer.IsSilent);
        Assert.Equal(
            [false, true, false, true],
            LayerSource.Of(DepthOperator.Zero, 2, 4).Select(layer => layer.IsSilent)
        );
    }

    [Theory]
    [InlineData(DepthOperator.Stack, 2, 5, "from 2 to 4 or 6 layers, not to 5.*or 'zero'")]
    [InlineData(DepthOperator.Interleave, 3, 5, "from 3 to 3 or 6 layers, not to 5.*or 'middle'")]
    [InlineData(DepthOperator.Middle, 2, 6, "at most 4 layers, not to 6.*or 'stack' or 'interleave'")]
    [InlineData(DepthOperator.Middle, 2, 5, "at most 4 layers, not to 5.*any number[.]$")]
    [InlineData(DepthOperator.Zero, 4, 2, "2 layers cannot grow out of 4.*at least 4")]
    public void WhatCannotGrow_SaysWhatCan(DepthOperator growth, int before, int after, string expected) =>
        Assert.Matches(
            expected,
            Assert.Throws<ConfigurationException>(() => LayerSource.Of(growth, before, after)).Message
        );
}
