using Saltern.Distributed;

namespace Saltern.Tests.Distributed;

public class HungThreadTests
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);
    private readonly ThreadProgress _thread = new("starting");
    private long? _ticks = 0;

    [Fact]
    public void AThreadThatUsesNoProcessor_InSteadyWork_Hangs()
    {
        var hung = new HungThread(_thread, () => _ticks);
        _thread.Begin("step 1: batch", isSteady: true);
        hung.Look(Second);
        Assert.Equal(25, SecondsUntilTold(hung, 60, () => { }));
    }

    [Fact]
    public void InACollective_ItHangsWhereItDoesNotPoll_AndWaitsWhereItDoes()
    {
        var hung = new HungThread(_thread, () => _ticks);
        using (_thread.InCollective())
        {
            hung.Look(Second);
            Assert.Null(SecondsUntilTold(hung, 10_000, () => _ticks++));
            Assert.Equal(25, SecondsUntilTold(hung, 60, () => { }));
        }

        using (_thread.AtRest())
        {
            Assert.Null(SecondsUntilTold(hung, 10_000, () => { }));
        }
    }

    [Fact]
    public void WorkThatMayWaitForDisks_HasTenMinutes()
    {
        var hung = new HungThread(_thread, () => _ticks);
        _thread.Begin("step 10: checkpoint", isSteady: false);
        hung.Look(Second);
        Assert.Equal(600, SecondsUntilTold(hung, 1_000, () => { }));
        Assert.Null(SecondsUntilTold(new HungThread(_thread, () => _ticks), 10_000, () => _ticks++));
        Assert.Null(SecondsUntilTold(new HungThread(_thread, () => null), 10_000, () => { }));
    }

    [Fact]
    public void AnEndlessLoop_IsToldByTheTimesBefore()
    {
        // The first pieces may take any time; once 50 are known, forty seconds and ten times the longest are too long.
        var hung = new HungThread(_thread, () => _ticks);
        _thread.Begin("step 1: batch", isSteady: true);
        hung.Look(Second);
        Assert.Null(SecondsUntilTold(hung, 10_000, () => _ticks++));
        for (int piece = 0; piece < 60; piece++)
        {
            _thread.Begin("step 2: batch", isSteady: true);
        }

        hung.Look(Second);
        Assert.Equal(40, SecondsUntilTold(hung, 100, () => _ticks++));
    }

    [Fact]
    public void ProcessorTime_IsThisThreads()
    {
        long before = _thread.ProcessorTicks()!.Value;
        Assert.True(SpinWait.SpinUntil(() => _thread.ProcessorTicks() > before, TimeSpan.FromMinutes(10)));
    }

    private static int? SecondsUntilTold(HungThread hung, int most, Action meanwhile)
    {
        for (int second = 1; second <= most; second++)
        {
            meanwhile();
            if (hung.Look(Second) is not null)
            {
                return second;
            }
        }

        return null;
    }
}
