using Microsoft.Extensions.Hosting;

namespace Saltern.Watch;

/// <summary>All runs at one moment.</summary>
/// <param name="Runs">Baselines first, so that they keep the first colour; else in the given order.</param>
/// <param name="Comparisons">Runs with a teacher beside their baselines.</param>
/// <param name="ReadAt">When the folders were read, local time.</param>
internal sealed record BoardState(IReadOnlyList<RunView> Runs, IReadOnlyList<Comparison> Comparisons, DateTime ReadAt);

/// <summary>Reads all folders every few seconds while a page is open, and tells the pages.</summary>
/// <param name="options">Which folders, and how often.</param>
internal sealed class RunBoard(WatchOptions options) : BackgroundService
{
    private readonly List<LiveRun> _runs = [.. options.Runs.Select(folder => new LiveRun(folder))];
    private readonly Lock _reading = new();
    private BoardState? _state;

    /// <summary>Raised on the reader's thread after each reading.</summary>
    public event Action? Changed;

    /// <summary>The last reading, or a new one where no page has been open lately.</summary>
    public BoardState State
    {
        get
        {
            if (_state is { } state && DateTime.Now - state.ReadAt < 2 * options.Interval)
            {
                return state;
            }

            return Read();
        }
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(options.Interval);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken).ConfigureAwait(false))
            {
                // Nobody looks: a disk that a run needs is left alone.
                if (Changed is { } tell)
                {
                    Read();
                    tell();
                }
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The server ends.
        }
    }

    private BoardState Read()
    {
        lock (_reading)
        {
            DateTime now = DateTime.UtcNow;
            List<RunView> runs = [.. _runs.Select(run => run.Look(now)).OrderBy(run => run.HadSmallModel)];
            return _state = new BoardState(runs, Comparison.Of(runs), now.ToLocalTime());
        }
    }
}
