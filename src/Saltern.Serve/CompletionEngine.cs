using System.Threading.Channels;
using Saltern.Models;

namespace Saltern.Serve;

/// <summary>The one thread that uses the model: requests wait in order, and those that wait together are answered in one batch.</summary>
internal sealed class CompletionEngine : IAsyncDisposable
{
    // A queue that is longer than this answers nobody in reasonable time.
    private const int LongestQueue = 1_024;

    // Texts of a batch: more hardly makes a batch faster on a processor, and lets the first wait for the last.
    private const int MostRows = 32;

    private readonly ServedModel _model;
    private readonly Channel<Work> _queue = Channel.CreateBounded<Work>(LongestQueue);
    private readonly CancellationTokenSource _ended = new();
    private readonly Thread _thread;

    /// <summary>Begins to wait for requests. The model belongs to the caller and is used by this alone until the end.</summary>
    public CompletionEngine(ServedModel model)
    {
        _model = model;
        _thread = new Thread(Serve) { IsBackground = true, Name = "model" };
        _thread.Start();
    }

    /// <summary>Writes answers.</summary>
    /// <param name="cancellation">Of the request: its answers are left where they are.</param>
    /// <exception cref="ApiException">Too many requests wait.</exception>
    public Task AnswerAsync(IReadOnlyList<Answer> answers, CancellationToken cancellation) =>
        EnqueueAll([.. answers.Select(answer => (Work)new Writing(answer, cancellation))]);

    /// <summary>Scores a text.</summary>
    /// <param name="tokens">Its ids.</param>
    /// <param name="alternatives">Likeliest tokens to name in each place.</param>
    /// <exception cref="ApiException">Too many requests wait.</exception>
    public async Task<IReadOnlyList<TokenScore>> ScoreAsync(
        int[] tokens,
        int alternatives,
        CancellationToken cancellation
    )
    {
        var work = new Scoring(tokens, alternatives, cancellation);
        await EnqueueAll([work]).ConfigureAwait(false);
        return work.Scores;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        _queue.Writer.TryComplete();
        await _ended.CancelAsync().ConfigureAwait(false);
        _thread.Join();
        _ended.Dispose();
    }

    private Task EnqueueAll(Work[] all)
    {
        foreach (Work work in all)
        {
            if (!_queue.Writer.TryWrite(work))
            {
                throw new ApiException(429, $"{LongestQueue} texts wait already. Ask again later.");
            }
        }

        return Task.WhenAll(all.Select(work => work.Done.Task));
    }

    private void Serve()
    {
        Work? left = null;
        while (!_ended.IsCancellationRequested)
        {
            Work? first = left ?? Wait();
            left = null;
            switch (first)
            {
                case null:
                    return;
                case Scoring scoring when !scoring.IsGivenUp():
                    Do(
                        [scoring],
                        () =>
                            scoring.Scores = TokenScores.Of(
                                _model.Model,
                                scoring.Tokens,
                                _model.Vocabulary,
                                scoring.Alternatives
                            )
                    );
                    break;
                case Writing writing:
                    left = WriteTogether(writing);
                    break;
            }
        }
    }

    private Work? Wait()
    {
        try
        {
            return _queue.Reader.ReadAsync(_ended.Token).AsTask().GetAwaiter().GetResult();
        }
        catch (Exception e) when (e is OperationCanceledException or ChannelClosedException)
        {
            return null;
        }
    }

    // The first that waits and all behind it that fit; what does not comes back.
    private Work? WriteTogether(Writing first)
    {
        List<Writing> batch = [];
        List<GenerationRow> rows = [];
        Work? left = first;
        while (
            rows.Count < MostRows
            && (left is not null || _queue.Reader.TryRead(out left))
            && left is Writing writing
            && GenerationBatch.Fits(_model.Model, rows, writing.Row)
        )
        {
            left = null;
            if (writing.IsGivenUp())
            {
                continue;
            }

            batch.Add(writing);
            rows.Add(writing.Row);
        }

        if (rows.Count > 0)
        {
            Do(batch, () => GenerationBatch.Run(_model.Model, rows, _model.Vocabulary, _ended.Token));
        }

        return left;
    }

    private static void Do(IReadOnlyList<Work> batch, Action action)
    {
        try
        {
            action();
            foreach (Work work in batch)
            {
                work.Done.TrySetResult();
            }
        }
        catch (Exception e)
        {
            foreach (Work work in batch)
            {
                work.Done.TrySetException(e);
            }
        }
    }

    private abstract class Work(CancellationToken cancellation)
    {
        // Continuations belong to the threads of requests, never to the model's.
        public TaskCompletionSource Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        // Whether nobody waits for it any more; it is ended then.
        public bool IsGivenUp()
        {
            if (cancellation.IsCancellationRequested)
            {
                Done.TrySetCanceled(cancellation);
            }

            return cancellation.IsCancellationRequested;
        }
    }

    private sealed class Scoring(int[] tokens, int alternatives, CancellationToken cancellation) : Work(cancellation)
    {
        public int[] Tokens => tokens;

        public int Alternatives => alternatives;

        public IReadOnlyList<TokenScore> Scores { get; set; } = [];
    }

    private sealed class Writing(Answer answer, CancellationToken cancellation) : Work(cancellation)
    {
        // Whoever has gone away gets no more tokens, and the batch goes on without it.
        public GenerationRow Row { get; } =
            new(
                answer.Prompt,
                answer.MaxTokens,
                logits => cancellation.IsCancellationRequested ? null : answer.Next(logits)
            );
    }
}
