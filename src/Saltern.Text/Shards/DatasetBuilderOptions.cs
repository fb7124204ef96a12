using Saltern.Corpora;
using Saltern.Distributed;

namespace Saltern.Shards;

/// <summary>How <see cref="DatasetBuilder"/> prepares a data set.</summary>
public sealed record DatasetBuilderOptions
{
    /// <summary>
    /// Percent of the documents, in [0, 100), that become validation text, chosen by the hash of each document's bytes; unused where validation
    /// text of its own is given. Default: 1.
    /// </summary>
    public double ValidPercent { get; init; } = 1.0;

    /// <summary>
    /// Whether a finished data set in the output folder may be replaced, and an unfinished one begun anew. Default: no; a finished one is an error, an
    /// unfinished one is resumed.
    /// </summary>
    public bool Overwrite { get; init; }

    /// <summary>Most domains that a data set may have, at least 1; more is taken for a field that does not hold domains. Default: 256.</summary>
    public int MaxDomains { get; init; } = 256;

    /// <summary>Documents are encoded on this many threads, at least 1; the result does not depend on it. Default: one per processor.</summary>
    public int Threads { get; init; } = Environment.ProcessorCount;

    /// <summary>
    /// Text, in bytes, after which everything is flushed to disk and the journal moves on: the most work that a kill can cost. At least 1; used where
    /// the text comes from a <see cref="CorpusReader"/>. Default: 256 MiB, some seconds of work; at 64 MiB flushing took a seventh of the time (1 GB in 12.2 s against 10.5 s without).
    /// </summary>
    public long CheckpointBytes { get; init; } = 256 << 20;

    /// <summary>
    /// Ranks that share the encoding out, each with the same input; owned by the caller. Rank 0 calls <see cref="DatasetBuilder.Build(CorpusReader, CorpusReader?, Saltern.Tokenization.BpeTokenizer, string, DatasetBuilderOptions?, IProgress{PrepareProgress}?, CancellationToken)"/>
    /// and writes, the others <see cref="DatasetBuilder.Assist"/>; the files do not depend on their number. Default: one process.
    /// </summary>
    internal ICommunicator Ranks { get; init; } = new SingleProcess();

    /// <summary>Text that is encoded at once, bytes, in one process; a test with little text makes it small.</summary>
    internal int ChunkBytes { get; init; } = DocumentEncoder.ChunkBytes;

    /// <summary>
    /// Whether a document that says nearly the same as one before it is left out and counted: a Jaccard similarity of at least 0.8 of their runs of five words, estimated by MinHash.
    /// Validation text given apart is kept whole, and training text compared with it. Takes some 220 to 440 bytes of memory a document, at most 0.7 GB. Default: no.
    /// </summary>
    public bool NearDuplicates { get; init; }

    /// <summary>Evaluations whose text no training document may share; such documents are dropped and counted. Default: none.</summary>
    internal EvaluationOverlap? Overlap { get; init; }

    /// <summary>Checks every option.</summary>
    /// <exception cref="ConfigurationException">An option is out of range; the message lists every one.</exception>
    internal void Validate()
    {
        List<string> problems = [];
        if (ValidPercent is not (>= 0 and < 100))
        {
            problems.Add($"valid percent = {ValidPercent} is outside [0, 100). Use 0 to split nothing off.");
        }

        if (MaxDomains < 1)
        {
            problems.Add($"MaxDomains = {MaxDomains} is below 1.");
        }

        if (Threads < 1)
        {
            problems.Add($"Threads = {Threads} is below 1.");
        }

        if (CheckpointBytes < 1)
        {
            problems.Add($"CheckpointBytes = {CheckpointBytes} is below 1.");
        }

        if (problems.Count > 0)
        {
            throw new ConfigurationException(problems);
        }
    }
}
