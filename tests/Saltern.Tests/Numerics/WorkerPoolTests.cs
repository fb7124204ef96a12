using System.Collections.Concurrent;
using Saltern.Numerics;

namespace Saltern.Tests.Numerics;

public class WorkerPoolTests
{
    [Theory]
    [InlineData(0, 2)]
    [InlineData(1, 4)]
    [InlineData(1_000, 2)]
    [InlineData(1_000, 5)]
    [InlineData(3, 8)]
    public void EveryPieceIsDoneOnce(int count, int threads)
    {
        int[] done = new int[count];
        for (int turn = 1; turn <= 20; turn++)
        {
            WorkerPool.Run(count, threads, i => Interlocked.Increment(ref done[i]));
            Assert.All(done, times => Assert.Equal(turn, times));
        }
    }

    [Fact]
    public void Helpers_TakePart_AndAreTheSameEachTime()
    {
        var seen = new ConcurrentDictionary<int, bool>();
        for (int turn = 0; turn < 50; turn++)
        {
            // Both pieces wait for each other, so that neither thread does both.
            using var both = new Barrier(2);
            WorkerPool.Run(
                2,
                2,
                _ =>
                {
                    Assert.True(both.SignalAndWait(TimeSpan.FromSeconds(30)));
                    seen[Environment.CurrentManagedThreadId] = true;
                }
            );
        }

        Assert.Equal(2, seen.Count);
    }

    [Fact]
    public void AFailure_ReachesTheCaller_AndThePoolGoesOn()
    {
        InvalidOperationException failure = Assert.Throws<InvalidOperationException>(() =>
            WorkerPool.Run(100, 2, i => throw new InvalidOperationException($"piece {i}"))
        );
        Assert.StartsWith("piece", failure.Message, StringComparison.Ordinal);
        int sum = 0;
        WorkerPool.Run(100, 2, i => Interlocked.Add(ref sum, i));
        Assert.Equal(4_950, sum);
    }

    [Fact]
    public void CallersAtOnce_AndPiecesThatAsk_DoAllThemselves()
    {
        int sum = 0;
        Parallel.For(
            0,
            8,
            _ =>
            {
                for (int turn = 0; turn < 100; turn++)
                {
                    WorkerPool.Run(10, 3, i => WorkerPool.Run(10, 3, j => Interlocked.Add(ref sum, i + j)));
                }
            }
        );
        Assert.Equal(8 * 100 * 900, sum);
    }
}
