using Saltern.Batches;
using Saltern.Configuration;
using Saltern.Models;
using Saltern.Numerics;
using Saltern.Optimization;
using Saltern.Planning;
using Saltern.Runs;

namespace Saltern.Tests.Planning;

public class MemoryFitTests
{
    private static readonly TransformerConfig Shape = ModelPresets.Get("paper-2.8b").Resolve(256_000, 1_280);

    [Fact]
    public void APlanThatFits_ChangesNothing()
    {
        MemoryFit fit = Of(Recipe(), 4L << 40);
        Assert.Empty(fit.Cheapest!.Keys);
    }

    [Fact]
    public void TheCheapest_ChangesNoNumberWhereThatIsEnough()
    {
        MemoryFit fit = Of(Recipe(), 60L << 30);
        Assert.All(fit.Cheapest!.Keys, key => Assert.StartsWith("training.", key, StringComparison.Ordinal));
        Assert.InRange(fit.Cheapest.Memory.Bytes, 1, 60L << 30);
    }

    [Fact]
    public void TwoPointEightBillion_FitInto22GiB_WithStatedSettings()
    {
        MemoryFit fit = Of(Recipe(), 22L << 30);
        Assert.Equal(
            [
                "training.checkpoint_in_background=false",
                "training.recompute=true",
                "optimizer.state=8bit",
                "optimizer.gradients=released",
                "optimizer.max_gradient_norm=0",
            ],
            fit.Cheapest!.Keys
        );

        // By hand, of 2,818,761,728 parameters: weights 4 bytes; matrices inside the layers (2,556,428,288) 1 byte and a scale for 256, the embedding (262,144,000) twice that,
        // norms 8; gradients of the embedding and of one layer (27,789,312).
        const double Scaled = 1 + (4 / 256.0);
        Assert.Equal(4 * 2_818_761_728L, Part(fit, "student's weights"));
        Assert.Equal(Scaled * (2_556_428_288 + (2 * 262_144_000.0)), Part(fit, "optimizer state"), 2e6);
        Assert.Equal(4 * (262_144_000.0 + 27_789_312), Part(fit, "gradients"), 2e5);
        Assert.InRange(fit.Cheapest.Memory.Bytes, 20L << 30, 22L << 30);
    }

    [Fact]
    public void WhatIsOffered_IsARecipe_AndTakesWhatIsSaid()
    {
        foreach (long limit in new[] { 16L, 18, 20, 22, 24, 32, 48 })
        {
            if (Of(Recipe(), limit << 30).Cheapest is not MemorySetting cheapest)
            {
                continue;
            }

            using var folder = new TemporaryFolder();
            File.WriteAllText(folder["recipe.yaml"], RecipeWriter.Write(Recipe()));
            RunConfig read = RecipeReader.Read<RunConfig>(folder["recipe.yaml"], [.. cheapest.Keys]);
            Assert.Equal(cheapest.Memory.Bytes, MemoryPlan.Of(read, Shape, null, 0).Bytes);
        }
    }

    [Fact]
    public void GradientsAreKept_WhereTheyAreAddedUp()
    {
        Assert.SkipUnless(BFloat16Product.IsThere, "this processor has no bfloat16 products");
        RunConfig recipe = Recipe() with
        {
            Training = Recipe().Training with { BatchSequences = 64, MicroBatchSequences = 8 },
        };
        MemoryFit fit = Of(recipe, 22L << 30);
        Assert.Null(fit.Cheapest);
        Assert.DoesNotContain("optimizer.gradients=released", fit.Smallest.Keys);
        Assert.Contains("training.micro_batch_sequences=1", fit.Smallest.Keys);
        Assert.Contains("optimizer.weights=bf16", fit.Smallest.Keys);
        Assert.InRange(fit.Smallest.Memory.Bytes, 22L << 30, 24L << 30);
    }

    [Theory]
    [InlineData("24GiB", 24L << 30)]
    [InlineData("512 mib", 512L << 20)]
    [InlineData("80GB", 80_000_000_000)]
    [InlineData("1.5GiB", 3L << 29)]
    public void Memories_AreRead(string text, long expected) => Assert.Equal(expected, MemoryFit.ReadBytes(text));

    [Theory]
    [InlineData("24")]
    [InlineData("-1GiB")]
    [InlineData("0GiB")]
    [InlineData("1e9GB")]
    [InlineData("GiB")]
    [InlineData("")]
    public void AnythingElse_IsRefused(string text) =>
        Assert.Contains(
            "e.g. 24GiB",
            Assert.Throws<ConfigurationException>(() => MemoryFit.ReadBytes(text)).Message,
            StringComparison.Ordinal
        );

    private static long Part(MemoryFit fit, string name) =>
        fit.Cheapest!.Memory.Parts.Single(part => part.Name == name).Bytes;

    private static MemoryFit Of(RunConfig recipe, long limit) => MemoryFit.Of(recipe, Shape, null, 0, 1, limit);

    private static RunConfig Recipe() =>
        new()
        {
            Name = "plan",
            Data = new DataConfig { Path = "nowhere", SequenceLength = 1_280 },
            Model = new TransformerConfig { Preset = "paper-2.8b", VocabSize = 256_000 },
            Optimizer = new OptimizerConfig { Kind = OptimizerKind.Muon },
            Training = new TrainingConfig { Steps = 10, BatchSequences = 8 },
        };
}
