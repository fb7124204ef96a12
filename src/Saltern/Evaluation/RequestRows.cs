namespace Saltern.Evaluation;

/// <summary>An input to compute, and the requests that are read off it.</summary>
/// <param name="Longest">The request whose input it is.</param>
/// <param name="Requests">Indices of this and of those whose input is its beginning.</param>
internal sealed record RequestRow(ScoreRequest Longest, List<int> Requests)
{
    /// <summary>Tokens.</summary>
    public int Length => Longest.Input.Length;
}

/// <summary>Rows that begin alike, such as the choices after one question.</summary>
/// <param name="Shared">Tokens at the beginning to be computed once for all of them; nothing is scored within them. 0 for a row by itself.</param>
internal sealed record RowGroup(List<RequestRow> Rows, int Shared)
{
    /// <summary>Tokens of the longest row.</summary>
    public int Length => Rows.Max(row => row.Length);

    /// <summary>Tokens to compute, padding left out.</summary>
    public int Tokens => Shared + Rows.Sum(row => row.Length - Shared);
}

/// <summary>What has to be computed for many requests, each token as seldom as possible.</summary>
internal static class RequestRows
{
    // Fewer shared tokens than this are not worth a pass of their own.
    private const int FewestShared = 8;

    /// <summary>One row for each distinct input that begins no other, in an order in which inputs that begin alike are neighbours.</summary>
    public static List<RequestRow> Of(IReadOnlyList<ScoreRequest> requests)
    {
        // In lexicographic order an input comes right before those that it begins, so that each needs comparing with its neighbour only.
        int[] order = [.. Enumerable.Range(0, requests.Count)];
        Array.Sort(
            order,
            (a, b) => requests[a].Input.SequenceCompareTo(requests[b].Input) is not 0 and int by ? by : a.CompareTo(b)
        );
        var rows = new List<RequestRow>();
        for (int i = order.Length - 1; i >= 0; i--)
        {
            ScoreRequest request = requests[order[i]];
            if (i == order.Length - 1 || !requests[order[i + 1]].Input.StartsWith(request.Input))
            {
                rows.Add(new RequestRow(request, []));
            }

            rows[^1].Requests.Add(order[i]);
        }

        return rows;
    }

    /// <summary>Puts neighbours together as long as that saves tokens.</summary>
    /// <param name="rows">Its rows, in the order of <see cref="Of"/>.</param>
    /// <param name="leastSaving">Tokens of a group's rows, each computed whole, over the tokens of the group: groups that save less come apart again.</param>
    public static List<RowGroup> Groups(
        IReadOnlyList<ScoreRequest> requests,
        IReadOnlyList<RequestRow> rows,
        double leastSaving = 1
    )
    {
        var groups = new List<RowGroup>();
        foreach (RequestRow row in rows)
        {
            int unscored = row.Requests.Min(index => requests[index].Input.Length - requests[index].TargetCount);
            if (groups.Count > 0 && Joined(groups[^1], row, unscored) is RowGroup joined)
            {
                groups[^1] = joined;
            }
            else
            {
                groups.Add(new RowGroup([row], unscored));
            }
        }

        return
        [
            .. groups.SelectMany(group =>
            {
                if (group.Rows.Count > 1 && group.Rows.Sum(row => row.Length) >= leastSaving * group.Tokens)
                {
                    return [group];
                }

                return group.Rows.Select(row => new RowGroup([row], 0));
            }),
        ];
    }

    // A newcomer saves the beginning it shares; those already there lose what they shared beyond it.
    private static RowGroup? Joined(RowGroup group, RequestRow row, int unscored)
    {
        int common = group.Rows[^1].Longest.Input.CommonPrefixLength(row.Longest.Input);
        int shared = Math.Min(Math.Min(common, unscored), group.Shared);
        int lost = (group.Rows.Count - 1) * (group.Shared - shared);
        if (shared >= FewestShared && shared > lost)
        {
            return new RowGroup([.. group.Rows, row], shared);
        }

        return null;
    }
}
