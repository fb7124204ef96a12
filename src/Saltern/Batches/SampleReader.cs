// From a sample's key to what the model is given: input ids, labels, and which positions see which (docs/method.md, "Samples and their order"; docs/objectives.md).
using Saltern.Shards;
using Saltern.Tokenization;

namespace Saltern.Batches;

/// <summary>Reads samples of text: causal, or the objective that falls to the sample, with or without masks between documents. Immutable; safe for several threads.</summary>
internal sealed class SampleReader : ISampleReader
{
    /// <summary>Label of a position that does not count.</summary>
    public const long NotCounted = -1;

    private readonly IReadOnlyList<TokenShard?> _shards;
    private readonly ObjectiveConfig? _objective;
    private readonly SpanCorruption? _corruption;
    private readonly bool _maskDocuments;
    private readonly int _endOfText;
    private readonly IReadOnlyList<DocumentPacker?>? _packers;

    private SampleReader(
        IReadOnlyList<TokenShard?> shards,
        DataConfig data,
        ObjectiveConfig? objective,
        SpanCorruption? corruption,
        int endOfText
    )
    {
        (_shards, SequenceLength, _maskDocuments) = (shards, data.SequenceLength, data.MaskDocuments);
        (_objective, _corruption, _endOfText) = (
            objective is { IsMixed: true } ? objective : null,
            corruption,
            endOfText
        );
        if (data.Packing == PackingKind.BestFit)
        {
            _packers =
            [
                .. shards.Select(shard =>
                    shard is { TokenCount: > 0 } ? new DocumentPacker(shard, data.SequenceLength) : null
                ),
            ];
        }
    }

    /// <summary>What packing made of all domains; null where the text is one stream.</summary>
    public PackingCounts? Packing =>
        _packers?.Aggregate(
            new PackingCounts(0, 0, 0, 0, 0),
            (sum, packer) => packer is null ? sum : sum + packer.Counts
        );

    /// <inheritdoc/>
    public int SequenceLength { get; }

    /// <inheritdoc/>
    public bool HasRanges => _maskDocuments || _objective is not null;

    /// <inheritdoc/>
    public IReadOnlyList<long> Sizes
    {
        get
        {
            if (_packers is not null)
            {
                return [.. _packers.Select(packer => packer?.Counts.Sequences ?? 0)];
            }

            return [.. _shards.Select(shard => SampleStream.SamplesIn(shard?.TokenCount ?? 0, SequenceLength))];
        }
    }

    /// <summary>Plans the reading of a recipe's samples.</summary>
    /// <param name="shards">Training shard of each domain; null where a domain has none.</param>
    /// <param name="data">T, and whether documents are masked.</param>
    /// <param name="objective">The mix; null for causal training.</param>
    /// <param name="tokenizer">The data set's: its end-of-text and sentinel tokens.</param>
    /// <exception cref="ConfigurationException">The tokenizer has too few sentinels, or spans would have to be masked between documents.</exception>
    public static SampleReader Create(
        IReadOnlyList<TokenShard?> shards,
        DataConfig data,
        ObjectiveConfig? objective,
        BpeTokenizer tokenizer
    )
    {
        if (objective is not { Span: > 0 })
        {
            return new SampleReader(shards, data, objective, null, tokenizer.EndOfTextId);
        }

        if (data.Packing == PackingKind.BestFit)
        {
            throw new ConfigurationException(
                "objective.span and data.packing = best_fit do not go together: "
                    + "a span stands at the end of its sample, away from its document. Use one of them."
            );
        }

        if (data.MaskDocuments)
        {
            throw new ConfigurationException(
                "objective.span and data.mask_documents = true do not go together: "
                    + "a span stands at the end of its sample, away from its document. Use one of them."
            );
        }

        var plan = SpanPlan.Of(data.SequenceLength, objective.SpanDensity, objective.SpanLength);
        IReadOnlyList<int> sentinels = SentinelTokens.Find(tokenizer, Math.Max(objective.Sentinels, plan.Spans));
        if (sentinels.Count < plan.Spans || sentinels.Count < objective.Sentinels)
        {
            throw new ConfigurationException(
                $"objective.span: the tokenizer has the {sentinels.Count} sentinels {SentinelTokens.Name(0)} … in a "
                    + $"row, but objective.sentinels = {objective.Sentinels} and a sequence of "
                    + $"{data.SequenceLength} tokens has {plan.Spans} spans. "
                    + "Train a tokenizer with 'saltern tokenizer train --sentinels 100', "
                    + "or lower objective.sentinels or objective.span_density, or raise objective.span_length."
            );
        }

        if (plan.Spans > objective.Sentinels)
        {
            throw new ConfigurationException(
                $"objective.sentinels = {objective.Sentinels} is fewer than the {plan.Spans} spans of a sequence of "
                    + $"{data.SequenceLength} tokens. Raise it, or objective.span_length."
            );
        }

        return new SampleReader(
            shards,
            data,
            objective,
            new SpanCorruption(plan, sentinels, tokenizer.EndOfTextId),
            tokenizer.EndOfTextId
        );
    }

    /// <summary>What falls to a sample: by a hash of (objective seed, sample) in the shares of the mix; the epoch does not enter.</summary>
    public ObjectiveKind KindOf(int domain, long index)
    {
        if (_objective is null)
        {
            return ObjectiveKind.Causal;
        }

        return KindOf(new SampleRandom(_objective.Seed, domain, index).NextUniform());
    }

    // first, end: the keys that each position sees, [first, end).
    /// <inheritdoc/>
    public void Read(int domain, long index, Span<long> inputs, Span<long> labels, Span<int> first, Span<int> end)
    {
        TokenShard shard = _shards[domain]!;
        long start = index * SequenceLength;
        long[] text = new long[SequenceLength + 1];
        int freePrefix = 0;
        int countedEnd = SequenceLength;
        IReadOnlyList<Piece> pieces = [];
        if (_packers is null)
        {
            shard.Read(start, text);
        }
        else
        {
            pieces = _packers[domain]![index];
            countedEnd = ReadPieces(shard, pieces, text);
        }

        if (_objective is not null)
        {
            var random = new SampleRandom(_objective.Seed, domain, index);
            switch (KindOf(random.NextUniform()))
            {
                case ObjectiveKind.Prefix:
                    freePrefix = 1 + random.NextBelow(SequenceLength); // the pivot, uniform in 1 … T
                    break;
                case ObjectiveKind.Span:
                    long[] stream = new long[SequenceLength + 1];
                    stream.AsSpan().Fill(_endOfText);
                    _corruption!.Corrupt(text, ref random, stream);
                    (text, freePrefix, countedEnd) = (
                        stream,
                        _corruption.Plan.PrefixTokens,
                        _corruption.Plan.StreamTokens - 1
                    );
                    break;
            }
        }

        text.AsSpan(0, SequenceLength).CopyTo(inputs);
        text.AsSpan(1).CopyTo(labels);
        if (_packers is not null)
        {
            labels[countedEnd..].Fill(NotCounted); // padding
            UncountJoints(pieces, labels);
        }

        if (!HasRanges)
        {
            return;
        }

        // A free prefix up to the pivot: position t < pivot sees all of it, and only the predictions of tokens pivot … T count.
        for (int position = 0; position < SequenceLength; position++)
        {
            (first[position], end[position]) = (0, Math.Max(position + 1, Math.Min(freePrefix, SequenceLength)));
        }

        labels[..Math.Max(0, freePrefix - 1)].Fill(NotCounted);
        labels[countedEnd..].Fill(NotCounted); // what spans and sentinels do not fill
        if (_maskDocuments && _packers is null)
        {
            MaskDocuments(shard, start, text, labels, first, end);
        }
        else if (_maskDocuments)
        {
            MaskPieces(pieces, text, labels, first, end);
        }
    }

    // Behind the token before the first piece, or an end of text where that begins a document: its first token is then a target too, as in validation text.
    private int ReadPieces(TokenShard shard, IReadOnlyList<Piece> pieces, long[] text)
    {
        text.AsSpan().Fill(_endOfText);
        if (!pieces[0].BeginsDocument)
        {
            shard.Read(pieces[0].Start - 1, text.AsSpan(0, 1));
        }

        int at = 1;
        foreach (Piece piece in pieces)
        {
            shard.Read(piece.Start, text.AsSpan(at, piece.Length));
            at += piece.Length;
        }

        return at - 1;
    }

    // A piece that goes on with a document, behind another one: its first token follows nothing that tells of it.
    private static void UncountJoints(IReadOnlyList<Piece> pieces, Span<long> labels)
    {
        int at = 0;
        for (int i = 0; i < pieces.Count; i++)
        {
            if (i > 0 && !pieces[i].BeginsDocument)
            {
                labels[at] = NotCounted;
            }

            at += pieces[i].Length;
        }
    }

    // As MaskDocuments: a document ends after its end-of-text token and wherever a piece does; padding sees itself alone.
    private void MaskPieces(IReadOnlyList<Piece> pieces, long[] text, Span<long> labels, Span<int> first, Span<int> end)
    {
        var begins = new HashSet<int>();
        int at = 1;
        foreach (Piece piece in pieces)
        {
            begins.Add(at);
            at += piece.Length;
        }

        begins.Add(at);
        if (!pieces[0].BeginsDocument)
        {
            begins.Remove(1);
        }

        int documentStart = 0;
        for (int position = 0; position < SequenceLength; position++)
        {
            first[position] = documentStart;
            if (text[position] == _endOfText || begins.Contains(position + 1))
            {
                labels[position] = NotCounted;
                for (int t = documentStart; t <= position; t++)
                {
                    end[t] = Math.Min(end[t], position + 1);
                }

                documentStart = position + 1;
            }
        }
    }

    private ObjectiveKind KindOf(double uniform)
    {
        if (uniform < _objective!.Causal)
        {
            return ObjectiveKind.Causal;
        }

        // Shares may sum to a little less than 1: what is beyond them goes to the last kind that is asked for at all.
        if (uniform < _objective.Causal + _objective.Prefix || (_corruption is null && _objective.Prefix > 0))
        {
            return ObjectiveKind.Prefix;
        }

        return _corruption is null ? ObjectiveKind.Causal : ObjectiveKind.Span;
    }

    // A document ends after its end-of-text token and wherever the shard's index begins a new one.
    private void MaskDocuments(
        TokenShard shard,
        long start,
        long[] text,
        Span<long> labels,
        Span<int> first,
        Span<int> end
    )
    {
        int document = shard.DocumentAt(start);
        int documentStart = 0;
        for (int position = 0; position < SequenceLength; position++)
        {
            first[position] = documentStart;
            bool isLast = text[position] == _endOfText;
            while (document + 1 < shard.DocumentCount && shard.DocumentStart(document + 1) <= start + position + 1)
            {
                isLast |= shard.DocumentStart(++document) == start + position + 1;
            }

            if (isLast)
            {
                labels[position] = NotCounted;
                for (int t = documentStart; t <= position; t++)
                {
                    end[t] = Math.Min(end[t], position + 1);
                }

                documentStart = position + 1;
            }
        }
    }
}
