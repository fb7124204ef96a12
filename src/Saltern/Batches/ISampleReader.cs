namespace Saltern.Batches;

/// <summary>Turns a sample's number into what the model is given: text of token shards (<see cref="SampleReader"/>), or packed examples of fine-tuning. Safe for several threads.</summary>
internal interface ISampleReader
{
    /// <summary>T.</summary>
    int SequenceLength { get; }

    /// <summary>Whether any position may see other keys than all those before it, so that attention ranges are made.</summary>
    bool HasRanges { get; }

    /// <summary>Samples of each domain.</summary>
    IReadOnlyList<long> Sizes { get; }

    /// <summary>Reads a sample.</summary>
    /// <param name="inputs">Receives the T input ids.</param>
    /// <param name="labels">Receives the T targets; <see cref="SampleReader.NotCounted"/> where a position does not count.</param>
    /// <param name="first">Receives the first key that each position sees; empty where <see cref="HasRanges"/> is false.</param>
    /// <param name="end">Receives one past the last key; empty likewise.</param>
    void Read(int domain, long index, Span<long> inputs, Span<long> labels, Span<int> first, Span<int> end);
}
