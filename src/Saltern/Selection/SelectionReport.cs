using Saltern.Batches;
using Saltern.Guidance;
using Saltern.RunFiles;
using Saltern.Tokenization;
using TorchSharp;

namespace Saltern.Selection;

/// <summary>A part of the samples, and how much of it was chosen.</summary>
/// <param name="MeanScore">Mean score of its samples, nats.</param>
internal sealed record SelectionShare(string Name, int Samples, int Chosen, double MeanScore);

/// <summary>A sample as a person reads it.</summary>
/// <param name="Group">Highest, middle or lowest.</param>
/// <param name="MeanNll">The teacher's mean loss on it, nats.</param>
/// <param name="Text">What the model is given.</param>
internal sealed record SelectionExample(
    string Group,
    string Domain,
    long Index,
    double Score,
    double MeanNll,
    string Text
);

/// <summary>What "challenging yet learnable" means on a corpus: the scores' distribution, what was chosen of each part, and examples.</summary>
internal sealed record SelectionReport
{
    private const int Bins = 20;
    private const int ExamplesOfAGroup = 10;

    /// <summary>The selection.</summary>
    public required SelectionManifest Manifest { get; init; }

    /// <summary>Histogram: lower edge of each bin, nats, samples in it and chosen ones.</summary>
    public required IReadOnlyList<(double From, int Samples, int Chosen)> Histogram { get; init; }

    /// <summary>Width of a bin, nats.</summary>
    public required double BinWidth { get; init; }

    /// <summary>By domain.</summary>
    public required IReadOnlyList<SelectionShare> Domains { get; init; }

    /// <summary>By bucket of the sample's mean loss.</summary>
    public required IReadOnlyList<SelectionShare> Buckets { get; init; }

    /// <summary>Ten highest, ten from the middle, ten lowest.</summary>
    public required IReadOnlyList<SelectionExample> Examples { get; init; }

    /// <summary>Puts a report together.</summary>
    /// <param name="buckets">Bounds of the teacher pass.</param>
    /// <param name="reader">Reads the samples' text.</param>
    internal static SelectionReport Of(
        SampleSelection selection,
        SelectionManifest manifest,
        DifficultyBuckets buckets,
        SampleReader reader,
        BpeTokenizer tokenizer
    )
    {
        IReadOnlyList<ScoredSample> ranked = selection.Ranked;
        double highest = ranked[0].Score!.Value;

        // A rule's scores are losses; one's own may be below 0.
        double lowest = Math.Min(0, ranked[^1].Score!.Value);
        double width = highest > lowest ? (highest - lowest) / Bins : 1;
        bool IsChosen(ScoredSample sample) => selection.Chosen.Contains((sample.Domain, sample.Index));
        ILookup<int, ScoredSample> bins = ranked.ToLookup(sample =>
            Math.Min(Bins - 1, (int)((sample.Score!.Value - lowest) / width))
        );
        SelectionShare Share(string name, IEnumerable<ScoredSample> part)
        {
            ScoredSample[] samples = [.. part];
            return new SelectionShare(
                name,
                samples.Length,
                samples.Count(IsChosen),
                samples.Length == 0 ? 0 : samples.Average(sample => sample.Score!.Value)
            );
        }

        IEnumerable<SelectionExample> Examples(string group, IEnumerable<ScoredSample> samples) =>
            samples.Select(sample => new SelectionExample(
                group,
                manifest.Domains[sample.Domain],
                sample.Index,
                sample.Score!.Value,
                sample.MeanNll,
                Text(sample, reader, tokenizer)
            ));
        int middle = Math.Max(0, (ranked.Count / 2) - (ExamplesOfAGroup / 2));
        return new SelectionReport
        {
            Manifest = manifest,
            BinWidth = width,
            Histogram =
            [
                .. Enumerable
                    .Range(0, Bins)
                    .Select(bin => (lowest + (bin * width), bins[bin].Count(), bins[bin].Count(IsChosen))),
            ],
            Domains =
            [
                .. manifest.Domains.Select(
                    (name, domain) => Share(name, ranked.Where(sample => sample.Domain == domain))
                ),
            ],
            Buckets =
            [
                .. MetricNames.Buckets.Select(
                    (name, bucket) =>
                        Share(
                            name,
                            ranked.Where(sample =>
                                DifficultyBuckets.Of(sample.MeanNll, buckets.SequenceBounds) == bucket
                            )
                        )
                ),
            ],
            Examples =
            [
                .. Examples("highest", ranked.Take(ExamplesOfAGroup)),
                .. Examples("middle", ranked.Skip(middle).Take(ExamplesOfAGroup)),
                .. Examples("lowest", ranked.Skip(Math.Max(0, ranked.Count - ExamplesOfAGroup))),
            ],
        };
    }

    private static string Text(ScoredSample sample, SampleReader reader, BpeTokenizer tokenizer)
    {
        var batch = new Batch([new SampleKey(sample.Domain, sample.Index, 0)], reader, 0);
        using torch.Tensor inputs = batch.Inputs([0]);
        return tokenizer.Decode([.. inputs.data<long>().Select(id => (int)id)]);
    }
}
