using Saltern.Planning;

namespace Saltern.Tests.Planning;

public class CollectiveBenchmarkTests
{
    private const long Bucket = 16L << 20;

    // Four ranks: a small call is 2 rounds of α; a ring has 2·3 messages one after the other, halving 2·2; 2·3/4 of the bytes move.
    [Theory]
    [InlineData("Ring", 60e-6)]
    [InlineData("Halving", 40e-6)]
    public void TheModel_TakesAsLongAsTheCallsThatItIsFittedTo(string name, double waiting)
    {
        NetworkAlgorithm algorithm = Enum.Parse<NetworkAlgorithm>(name);
        double large = waiting + (1.5 * Bucket / 1e9);
        NetworkModel model = CollectiveBenchmark.Fit(4, algorithm, 20e-6, Bucket, large)!;
        Assert.Equal(10e-6, model.LatencySeconds, 1e-12);
        Assert.Equal(1e9, model.BytesPerSecond, 1.0);
        Assert.Equal(20e-6, model.SmallCall(4), 1e-12);
        Assert.Equal(large, model.AllReduce(Bucket, 4), 1e-9);
    }

    // On a busy machine small calls wait for a processor: a bandwidth of petabits would follow.
    [Theory]
    [InlineData(60e-6)]
    [InlineData(1e-6)]
    public void ALargeCallThatTakesNoLongerThanItsMessages_HasNoModel(double large) =>
        Assert.Null(CollectiveBenchmark.Fit(4, NetworkAlgorithm.Ring, 20e-6, Bucket, large));
}
