using System.Runtime.InteropServices;
using Saltern.Losses;
using Saltern.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Evaluation;

/// <summary>Log probabilities of many requests, in few passes.</summary>
/// <remarks>
/// Requests whose input is the beginning of another's ride along in its row: the model is causal, so later tokens change nothing before them. Rows are sorted by
/// length, padded on the right and run in batches; logits are made for the targets alone, a chunk at a time.
/// </remarks>
public static class RequestScorer
{
    // Positions of one forward pass, padding included: enough for full speed, little enough for memory.
    private const int PositionsPerBatch = 4_096;

    /// <summary>Scores requests.</summary>
    /// <param name="model">Any decoder.</param>
    /// <param name="head">Loss head made for its vocabulary.</param>
    /// <param name="requests">In any order.</param>
    /// <param name="progress">Told how many are done.</param>
    /// <param name="cancellation">Checked between batches.</param>
    /// <returns>In the order of the requests.</returns>
    public static RequestScore[] Score(Transformer model, LossHead head, IReadOnlyList<ScoreRequest> requests, Action<int>? progress = null, CancellationToken cancellation = default)
    {
        using IDisposable _ = no_grad();
        var scores = new RequestScore[requests.Count];
        List<Row> rows = Rows(requests);
        rows.Sort((a, b) => b.Length.CompareTo(a.Length));
        int done = 0;
        for (int first = 0; first < rows.Count;)
        {
            cancellation.ThrowIfCancellationRequested();
            int count = Math.Min(Math.Max(1, PositionsPerBatch / rows[first].Length), rows.Count - first);
            ScoreBatch(model, head, requests, CollectionsMarshal.AsSpan(rows).Slice(first, count), scores);
            done += rows.GetRange(first, count).Sum(row => row.Requests.Count);
            progress?.Invoke(done);
            first += count;
        }

        return scores;
    }

    /// <summary>Rows to compute: how many distinct inputs there are that begin no other.</summary>
    internal static int CountRows(IReadOnlyList<ScoreRequest> requests) => Rows(requests).Count;

    private static List<Row> Rows(IReadOnlyList<ScoreRequest> requests)
    {
        // In lexicographic order an input comes right before those that it begins, so that each needs comparing with its neighbour only.
        int[] order = [.. Enumerable.Range(0, requests.Count)];
        Array.Sort(order, (a, b) => requests[a].Input.SequenceCompareTo(requests[b].Input) is not 0 and int by ? by : a.CompareTo(b));
        var rows = new List<Row>();
        for (int i = order.Length - 1; i >= 0; i--)
        {
            ScoreRequest request = requests[order[i]];
            if (i == order.Length - 1 || !requests[order[i + 1]].Input.StartsWith(request.Input))
            {
                rows.Add(new Row(request, []));
            }

            rows[^1].Requests.Add(order[i]);
        }

        return rows;
    }

    private static void ScoreBatch(Transformer model, LossHead head, IReadOnlyList<ScoreRequest> requests, ReadOnlySpan<Row> rows, RequestScore[] scores)
    {
        using DisposeScope scope = NewDisposeScope();
        int length = rows[0].Length;
        long[] tokens = new long[rows.Length * length]; // [B, T], padded with id 0, which nothing before it sees
        List<long> positions = [], labels = [];
        for (int row = 0; row < rows.Length; row++)
        {
            ReadOnlySpan<int> input = rows[row].Longest.Input;
            for (int i = 0; i < input.Length; i++)
            {
                tokens[(row * length) + i] = input[i];
            }

            foreach (int index in rows[row].Requests)
            {
                ScoreRequest request = requests[index];
                for (int i = 0; i < request.TargetCount; i++)
                {
                    positions.Add((row * length) + request.Input.Length - request.TargetCount + i);
                    labels.Add(request.Targets[i]);
                }
            }
        }

        Tensor hidden = model.HiddenStates(tensor(tokens, rows.Length, length).to(model.Parameters.Device)); // [N, D]
        Tensor targets = hidden.index_select(0, tensor(positions.ToArray()).to(hidden.device));              // [targets, D]
        var losses = new PositionLosses(labels.Count);
        head.Evaluate(new LossRequest { HiddenStates = targets, Head = model.Head, Labels = [.. labels] }, losses);
        int at = 0;
        foreach (Row row in rows)
        {
            foreach (int index in row.Requests)
            {
                double sum = 0;
                bool greedy = true;
                for (int i = 0; i < requests[index].TargetCount; i++, at++)
                {
                    sum -= losses.StudentNll[at];
                    greedy &= losses.Correct[at];
                }

                scores[index] = new RequestScore(sum, greedy);
            }
        }
    }

    private sealed record Row(ScoreRequest Longest, List<int> Requests)
    {
        public int Length => Longest.Tokens.Length - 1;
    }
}
