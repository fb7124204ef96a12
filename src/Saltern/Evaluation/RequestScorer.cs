using Saltern.Distributed;
using Saltern.Losses;
using Saltern.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Evaluation;

/// <summary>Log probabilities of many requests, in few passes.</summary>
/// <remarks>
/// Requests whose input is the beginning of another's ride along in its row: the model is causal, so later tokens change nothing before them. Rows that begin alike
/// share the keys and values of their beginning, computed once. Rows are sorted by length, padded and run in batches; logits are made for the targets alone, a chunk at a time.
/// </remarks>
internal static class RequestScorer
{
    // Positions of one forward pass, padding included: enough for full speed, little enough for memory.
    private const int PositionsPerBatch = 4_096;

    // Positions of the keys and values of rows that share their beginnings.
    private const int CachedPositions = 16_384;

    // Passes over cached keys do not go through the kernels of whole rows, which do more tokens a second (measured in docs/evaluation.md).
    private const double LeastSavingOverKernels = 3;

    /// <summary>Scores requests.</summary>
    /// <param name="head">Loss head made for its vocabulary.</param>
    /// <param name="progress">Told how many are done.</param>
    /// <param name="ranks">Ranks with the same model and requests, which share the batches out; null for one process. All get all scores, the same for any number of ranks.</param>
    /// <returns>In the order of the requests.</returns>
    public static RequestScore[] Score(
        Transformer model,
        LossHead head,
        IReadOnlyList<ScoreRequest> requests,
        Action<int>? progress = null,
        ICommunicator? ranks = null,
        CancellationToken cancellation = default
    )
    {
        using IDisposable _ = no_grad();
        ranks ??= new SingleProcess();
        int[] owners = new int[requests.Count];
        int batches = 0;
        var scores = new RequestScore[requests.Count];
        var scoring = new Scoring(model, head, requests, scores);
        ILookup<bool, RowGroup> groups = RequestRows
            .Groups(requests, RequestRows.Of(requests), model.UsesKernels ? LeastSavingOverKernels : 1)
            .ToLookup(group => group.Shared > 0);
        int done = 0;
        RowGroup[] single = [.. groups[false].OrderByDescending(group => group.Length)];
        int first = 0;
        while (first < single.Length)
        {
            int count = Math.Min(Math.Max(1, PositionsPerBatch / single[first].Length), single.Length - first);
            Run([.. single.Skip(first).Take(count).Select(group => group.Rows[0])], ScoreWhole);
            first += count;
        }

        RowGroup[] shared = [.. groups[true].OrderByDescending(RestClass).ThenByDescending(group => group.Shared)];
        first = 0;
        while (first < shared.Length)
        {
            int count = CountShared(model, shared.AsSpan(first));
            RowGroup[] batch = shared[first..(first + count)];
            Run([.. batch.SelectMany(group => group.Rows)], rows => ScoreShared(scoring, batch, rows));
            first += count;
        }

        ranks.Exchange<RequestScore>(scores, owners);
        return scores;

        void ScoreWhole(RequestRow[] rows)
        {
            using DisposeScope scope = NewDisposeScope();
            int length = rows[0].Length;
            Tensor hidden = model.HiddenStates(
                Padded(model, [.. rows.Select(row => row.Longest.Tokens.AsMemory(0, row.Length))], length)
            ); // [N, D]
            Read(scoring, rows, hidden, length, _ => 0);
        }

        void Run(RequestRow[] rows, Action<RequestRow[]> score)
        {
            cancellation.ThrowIfCancellationRequested();
            int owner = batches++ % ranks.Size;
            foreach (int request in rows.SelectMany(row => row.Requests))
            {
                owners[request] = owner;
            }

            if (owner == ranks.Rank)
            {
                score(rows);
            }

            progress?.Invoke(done += rows.Sum(row => row.Requests.Count));
        }
    }

    /// <summary>Tokens that are computed, padding left out.</summary>
    internal static int CountTokens(IReadOnlyList<ScoreRequest> requests) =>
        RequestRows.Groups(requests, RequestRows.Of(requests)).Sum(group => group.Tokens);

    // Groups that fit into one cache. Padding before a beginning shifts it, which only relative positions do not notice.
    private static int CountShared(Transformer model, ReadOnlySpan<RowGroup> groups)
    {
        int count = 0;
        int rows = 0;
        int longest = 0;
        foreach (RowGroup group in groups)
        {
            rows += group.Rows.Count;
            longest = Math.Max(longest, group.Length - group.Shared);
            if (
                count > 0
                && (
                    RestClass(group) != RestClass(groups[0])
                    || rows * (groups[0].Shared + longest) > CachedPositions
                    || (count + 1) * groups[0].Shared > PositionsPerBatch
                    || rows * longest > PositionsPerBatch
                    || (model.Config.LearnedPositions && group.Shared < groups[0].Shared)
                    || groups[0].Shared + longest > model.Config.MaxPositionEmbeddings
                )
            )
            {
                break;
            }

            count++;
        }

        return count;
    }

    // Rests of a batch are padded to one length, so only like ones go together.
    private static int RestClass(RowGroup group) => (int)Math.Round(4 * Math.Log2(group.Length - group.Shared));

    private static void ScoreShared(Scoring scoring, RowGroup[] groups, RequestRow[] rows)
    {
        Transformer model = scoring.Model;
        using DisposeScope scope = NewDisposeScope();
        int shared = groups[0].Shared;
        int rest = groups.Max(group => group.Length - group.Shared);
        using var cache = new KeyValueCache(
            model.Config,
            groups.Length,
            shared + rest,
            model.Parameters.Type,
            model.Parameters.Device,
            [.. groups.Select(group => shared - group.Shared)]
        );
        model.HiddenStates(
            Padded(
                model,
                [.. groups.Select(group => group.Rows[0].Longest.Tokens.AsMemory(0, group.Shared))],
                shared,
                left: true
            ),
            cache
        );

        int[] groupOf = [.. groups.SelectMany((group, index) => Enumerable.Repeat(index, group.Rows.Count))];
        cache.Keep(groupOf);
        ReadOnlyMemory<int>[] ends =
        [
            .. rows.Select(
                (row, index) =>
                    (ReadOnlyMemory<int>)row.Longest.Tokens.AsMemory(groups[groupOf[index]].Shared..row.Length)
            ),
        ];
        Tensor hidden = model.HiddenStates(Padded(model, ends, rest), cache); // [N, D]
        Read(scoring, rows, hidden, rest, row => groups[groupOf[row]].Shared);
    }

    // [B, T], padded with id 0; behind a row nothing before it sees the padding, in front of one the cache hides it.
    private static Tensor Padded(Transformer model, ReadOnlyMemory<int>[] rows, int length, bool left = false)
    {
        long[] tokens = new long[rows.Length * length];
        foreach ((int row, ReadOnlyMemory<int> ids) in rows.Index())
        {
            int start = (row * length) + (left ? length - ids.Length : 0);
            for (int i = 0; i < ids.Length; i++)
            {
                tokens[start + i] = ids.Span[i];
            }
        }

        return tensor(tokens, rows.Length, length).to(model.Parameters.Device);
    }

    // Scores of the requests of some rows, from hidden states that begin at a place of each row.
    private static void Read(Scoring scoring, RequestRow[] rows, Tensor hidden, int length, Func<int, int> beginning)
    {
        List<long> positions = [];
        List<long> labels = [];
        for (int row = 0; row < rows.Length; row++)
        {
            foreach (ScoreRequest request in rows[row].Requests.Select(index => scoring.Requests[index]))
            {
                for (int i = 0; i < request.TargetCount; i++)
                {
                    positions.Add((row * length) + request.Input.Length - beginning(row) - request.TargetCount + i);
                    labels.Add(request.Targets[i]);
                }
            }
        }

        Tensor targets = hidden.index_select(0, tensor(positions.ToArray()).to(hidden.device)); // [targets, D]
        var losses = new PositionLosses(labels.Count);
        scoring.Head.Evaluate(
            new LossRequest
            {
                HiddenStates = targets,
                Head = scoring.Model.Head,
                Form = scoring.Model.HeadForm,
                Labels = [.. labels],
            },
            losses
        );
        int at = 0;
        foreach (int index in rows.SelectMany(row => row.Requests))
        {
            double sum = 0;
            bool greedy = true;
            for (int i = 0; i < scoring.Requests[index].TargetCount; i++, at++)
            {
                sum -= losses.StudentNll[at];
                greedy &= losses.Correct[at];
            }

            scoring.Scores[index] = new RequestScore(sum, greedy);
        }
    }

    // What all batches of one call share; scores are written in place.
    private sealed record Scoring(
        Transformer Model,
        LossHead Head,
        IReadOnlyList<ScoreRequest> Requests,
        RequestScore[] Scores
    );
}
