using Saltern.Models;

namespace Saltern.Tests.Models;

public class ModelFlopsTests
{
    [Fact]
    public void HandWorkedExample()
    {
        // docs/method.md, "Cost": D 256, L 6, F 704, H × A 4 × 64, V 8,192, T 256.
        var config = new TransformerConfig
        {
            HiddenSize = 256,
            NumHiddenLayers = 6,
            NumAttentionHeads = 4,
            IntermediateSize = 704,
        }.Resolve(8_192, 256);
        Assert.Equal(6_914_048, ModelFlops.ProductWeights(config));
        Assert.Equal(14_617_600, ModelFlops.ForwardPerToken(config, 256));
        Assert.Equal(179.62, 4_096 * ModelFlops.TrainingPerToken(config, 256) / 1e9, 2);
    }

    [Theory]
    [InlineData("0.3m", 2_048, 0.32)]
    [InlineData("0.5m", 4_096, 0.55)]
    [InlineData("1m", 2_048, 1.07)]
    [InlineData("1.3m", 4_096, 1.33)]
    [InlineData("3.5m", 4_096, 3.44)]
    [InlineData("7m", 8_192, 6.92)]
    [InlineData("paper-1.5b", 256_000, 1_485)]
    [InlineData("paper-2.8b", 256_000, 2_819)]
    [InlineData("paper-8.6b", 256_000, 8_562)]
    public void Presets_HaveTheSizeOfTheirName(string preset, int vocabulary, double millions)
    {
        TransformerConfig config = ModelPresets.Get(preset).Resolve(vocabulary, 128);
        double parameters =
            ModelFlops.ProductWeights(config) + (((2.0 * config.NumHiddenLayers) + 1) * config.HiddenSize);
        Assert.Equal(millions, parameters / 1e6, millions > 100 ? 0 : 2);
    }
}
