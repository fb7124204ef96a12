using Saltern.Losses;
using static TorchSharp.torch;

namespace Saltern.Tests.Kernels;

/// <summary>Requests over whole logits with every kind of soft labels and gate.</summary>
internal static class LossRequests
{
    private const int N = 60;
    private const int Taught = 45;

    /// <summary>Names of <see cref="Of"/>.</summary>
    public static TheoryData<string> Names { get; } =
    [
        "plain",
        "teacher",
        "teacher, τ = 0.25",
        "teacher, ω = 1",
        "teacher, top probability",
        "teacher, entropy",
        "teacher, observed, scaled",
        "teacher, bucket",
        "teacher, large vocabulary",
        "sparse",
        "sparse, entropy",
        "sparse, tail",
        "sparse, tail, all kept",
    ];

    /// <summary>A request; the caller's scope owns its tensors.</summary>
    public static LossRequest Of(string name)
    {
        manual_seed(11);
        int vocabulary = name.Contains("large", StringComparison.Ordinal) ? 3001 : 61;
        var request = new LossRequest
        {
            HiddenStates = randn(N, vocabulary) * 3,
            Head = eye(vocabulary),
            Labels = [.. Enumerable.Range(0, N).Select(i => i % 11 == 3 ? -1L : i * 37 % vocabulary)],
            Omega =
            [
                .. Enumerable
                    .Range(0, N)
                    .Select(i => name.Contains("ω = 1", StringComparison.Ordinal) ? 1f : i % 10 / 10f),
            ],
            Gate = GateOf(name),
            GateScale = name.Contains("scaled", StringComparison.Ordinal) ? 1.7 : null,
        };
        if (name.StartsWith("teacher", StringComparison.Ordinal))
        {
            double temperature = name.Contains("0.25", StringComparison.Ordinal) ? 0.25 : 1.5;

            // More columns than the vocabulary has: those of a padded head.
            return request with
            {
                Teacher = new DenseSoftLabels(randn(Taught, vocabulary + 3) * 2, temperature),
            };
        }

        if (name.StartsWith("sparse", StringComparison.Ordinal))
        {
            int kept = name.Contains("all kept", StringComparison.Ordinal) ? vocabulary : 7;
            return request with { Teacher = Sparse(vocabulary, kept, name.Contains("tail", StringComparison.Ordinal)) };
        }

        return request;
    }

    private static Gate GateOf(string name)
    {
        string kind = name.Split(", ").Skip(1).FirstOrDefault() ?? "";
        return kind switch
        {
            "top probability" => new Gate(GateKind.TopProbability, 0.2, [], []),
            "entropy" => new Gate(GateKind.Entropy, 2.5, [], []),
            "observed" => new Gate(GateKind.Observed, 0.05, [], []),
            "bucket" => new Gate(GateKind.Bucket, 0, [0.2, 1.0, 0.5], [2.0, 5.0]),
            _ => Gate.Open,
        };
    }

    private static SparseSoftLabels Sparse(int vocabulary, int entries, bool tail)
    {
        var random = new Random(4);
        var ids = new List<int>();
        var shares = new List<float>();
        for (int row = 0; row < Taught; row++)
        {
            ids.AddRange(Enumerable.Range(0, vocabulary).OrderBy(_ => random.Next()).Take(entries));
            float[] raw = [.. Enumerable.Range(0, entries).Select(_ => random.NextSingle())];
            float sum = raw.Sum() * (tail ? 1.4f : 1f);
            shares.AddRange(raw.Select(value => value / sum));
        }

        float[] Some(float largest) => [.. Enumerable.Range(0, Taught).Select(_ => random.NextSingle() * largest)];
        return new SparseSoftLabels(
            [.. Enumerable.Range(0, Taught + 1).Select(row => row * entries)],
            [.. ids],
            [.. shares],
            tail,
            Some(6),
            Some(6),
            Some(4),
            Some(1),
            0.5
        );
    }
}
