using Saltern.Models;
using Saltern.Optimization;
using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Tests.Optimization;

public class WeightAverageTests
{
    [Fact]
    public void WithoutADecay_ItIsTheMean()
    {
        using ParameterSet parameters = SampleWeights.Create();
        using var average = new WeightAverage(parameters, decay: null);
        double[] expected = new double[parameters.FlatWeights.numel()];
        for (int update = 1; update <= 5; update++)
        {
            Change(parameters, update);
            average.Add();
            float[] now = parameters.FlatWeights.data<float>().ToArray();
            expected = [.. expected.Zip(now, (sum, weight) => sum + weight)];
        }

        // Five roundings of numbers near 1.
        Assert.Equal(
            expected.Select(sum => sum / 5),
            average.Flat.data<float>().ToArray().Select(value => (double)value),
            (a, b) => Math.Abs(a - b) < 1e-6
        );
        Assert.Equal(5, average.Count);
    }

    [Fact]
    public void WithADecay_ItIsTheMeanFirstAndThenMovesOn()
    {
        // Of 1, 2, 3, 4 with d = ½: 1, then (1 + 2)/2, then half of the new each time: 2.25, 3.125.
        using ParameterSet parameters = SampleWeights.Create();
        using var average = new WeightAverage(parameters, decay: 0.5);
        List<float> seen = [];
        for (int value = 1; value <= 4; value++)
        {
            using (no_grad())
            {
                parameters.FlatWeights.fill_(value);
            }

            average.Add();
            seen.Add(average.Flat[0].item<float>());
        }

        Assert.Equal([1f, 1.5f, 2.25f, 3.125f], seen);
    }

    [Fact]
    public void InPlaceOfWeights_ExchangesAndGivesBackTheVeryBits()
    {
        using ParameterSet parameters = SampleWeights.Create();
        using var average = new WeightAverage(parameters, decay: 0.9);
        average.Add();
        Change(parameters, 1);
        average.Add();
        float[] weights = parameters.FlatWeights.data<float>().ToArray();
        float[] mean = average.Flat.data<float>().ToArray();
        Assert.NotEqual(weights, mean);
        Assert.Throws<InvalidTimeZoneException>(() =>
            average.InPlaceOfWeights(() =>
            {
                Assert.Equal(mean, parameters.FlatWeights.data<float>().ToArray());
                throw new InvalidTimeZoneException();
            })
        );
        Assert.Equal(weights, parameters.FlatWeights.data<float>().ToArray());
        Assert.Equal(mean, average.Flat.data<float>().ToArray());
    }

    private static void Change(ParameterSet parameters, int update)
    {
        using DisposeScope scope = NewDisposeScope();
        using IDisposable _ = no_grad();
        using var generator = new Generator((ulong)update, CPU);
        parameters.FlatWeights.add_(randn(parameters.FlatWeights.shape, generator: generator).mul_(0.1));
    }
}
