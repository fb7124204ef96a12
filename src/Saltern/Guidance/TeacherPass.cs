using System.Diagnostics;
using Saltern.Batches;
using Saltern.Distributed;
using Saltern.Files;
using Saltern.Losses;
using Saltern.Models;
using Saltern.RunFiles;
using TorchSharp;

namespace Saltern.Guidance;

/// <summary>How far a teacher pass is.</summary>
/// <param name="Samples">Samples of this rank that are done, those of an earlier, interrupted teacher pass included.</param>
/// <param name="TotalSamples">Samples of this rank: all of them in one process.</param>
/// <param name="TokensPerSecond">Speed of this process so far.</param>
internal sealed record TeachProgress(long Samples, long TotalSamples, double TokensPerSecond);

/// <summary>One teacher pass over samples, file by file: what is whole stays, the rest is made.</summary>
internal sealed class TeacherPass
{
    // Positions of one forward pass, and samples of a file: about 10 MB of soft labels at 256 tokens.
    internal const int PositionsPerForward = 4_096;

    /// <summary>Samples of a file.</summary>
    public const int DefaultShardSamples = 1_024;

    private readonly string _folder;
    private readonly TeachPlan _plan;
    private readonly SampleReader _reader;
    private readonly IReadOnlyList<(int Domain, long Index)> _samples;

    /// <summary>Prepares a teacher pass.</summary>
    /// <param name="folder">Where its files go.</param>
    /// <param name="plan">What it stores, draws included.</param>
    public TeacherPass(
        string folder,
        TeachPlan plan,
        SampleReader reader,
        IReadOnlyList<(int Domain, long Index)> samples
    ) => (_folder, _plan, _reader, _samples) = (folder, plan, reader, samples);

    private int ShardCount => (int)((_samples.Count + _plan.ShardSamples - 1L) / _plan.ShardSamples);

    /// <summary>Finds the draws that fit a byte budget, on positions of samples spread over all of them.</summary>
    /// <param name="teacher">At the plan's temperature.</param>
    /// <param name="plan">All but the draws.</param>
    /// <param name="samples">Of the teacher pass.</param>
    /// <param name="budget">Bytes for each position.</param>
    /// <param name="threads">Threads for our own kernels.</param>
    public static int PlanDraws(
        LiveTeacher teacher,
        TeachPlan plan,
        SampleReader reader,
        IReadOnlyList<(int Domain, long Index)> samples,
        double budget,
        int threads
    )
    {
        const int Probes = 4_096;
        const int ProbeSamples = 128;
        var planner = new DrawPlanner(plan.Sampling);
        using var rows = new TeacherRows(plan, teacher, threads);
        var order = new KeyedPermutation(samples.Count, KeyedPermutation.Mix((ulong)plan.DrawSeed));
        long counted = 0;
        long probed = 0;
        for (int i = 0; i < Math.Min(ProbeSamples, samples.Count); i++)
        {
            using DisposeScope scope = torch.NewDisposeScope();
            Batch batch = OneBatch([samples[(int)order[i]]], reader);
            long[] labels = batch.Labels([0]);
            int[] countedRows = [.. Enumerable.Range(0, labels.Length).Where(row => labels[row] >= 0)];
            probed++;
            if (countedRows.Length == 0)
            {
                continue; // masked documents or a pivot at the end leave nothing to predict
            }

            // Evenly over the sample, from a place that differs from one to the next.
            int wanted = Math.Min(countedRows.Length, Probes / ProbeSamples);
            int stride = Math.Max(1, countedRows.Length / wanted);
            var probes = Enumerable
                .Range(0, wanted)
                .Select(k => countedRows[(i + (k * stride)) % countedRows.Length])
                .ToHashSet();
            rows.Probe(Run(teacher, batch), probes.Contains, planner);
            counted += countedRows.Length;
        }

        if (counted == 0)
        {
            throw new ConfigurationException(
                $"None of {probed} samples has a position that counts, so there is nothing to teach. "
                    + "Look at data.mask_documents and the objective: with documents of one token nothing is predicted."
            );
        }

        double table = CacheShard.RowBytes * (double)probed / counted;
        return planner.Most(budget, CacheRecord.FixedBytes(CacheMode.Sampled) + table, plan.EntryBytes);
    }

    /// <summary>Makes the files that are missing; of R ranks each makes every R-th.</summary>
    /// <param name="teacher">At the plan's temperature.</param>
    /// <param name="threads">Threads for our own kernels.</param>
    /// <param name="log">Told which files of an interrupted teacher pass are kept or made anew.</param>
    /// <param name="progress">Told after every forward pass.</param>
    /// <param name="ranks">Ranks with the same teacher, plan and folder; null for one process. It returns when all of them are done.</param>
    /// <param name="cancellation">Ends the teacher pass; what is whole stays.</param>
    public void Run(
        LiveTeacher teacher,
        int threads,
        Action<string> log,
        IProgress<TeachProgress>? progress,
        ICommunicator? ranks,
        CancellationToken cancellation
    )
    {
        using var rows = new TeacherRows(_plan, teacher, threads);
        Run(
            batch =>
            {
                using DisposeScope scope = torch.NewDisposeScope();
                return rows.Records(Run(teacher, batch), batch);
            },
            log,
            progress,
            ranks,
            cancellation
        );
    }

    /// <summary>As the other, whatever makes the records.</summary>
    /// <param name="records">One byte array for each sample of a batch.</param>
    public void Run(
        Func<Batch, IReadOnlyList<byte[]>> records,
        Action<string> log,
        IProgress<TeachProgress>? progress,
        ICommunicator? ranks,
        CancellationToken cancellation
    )
    {
        ranks ??= new SingleProcess();
        DurableFolder.Create(Path.Combine(_folder, TeacherCache.ShardFolder));
        long start = Stopwatch.GetTimestamp();
        long made = 0;
        long kept = 0;
        long total = Enumerable
            .Range(0, ShardCount)
            .Where(shard => shard % ranks.Size == ranks.Rank)
            .Sum(shard => (long)Keys(shard).Length);
        for (int shard = ranks.Rank; shard < ShardCount; shard += ranks.Size)
        {
            ranks.Activity = $"file {shard} of {ShardCount}";
            (int Domain, long Index)[] keys = Keys(shard);
            if (IsWhole(shard, keys, log))
            {
                Disk.Current.Delete(PathOf(shard) + WholeFile.TemporaryEnding); // of a rename that was half done when the power went
                kept += keys.Length;
                continue;
            }

            long shardStart = Disk.Current.Clock.GetTimestamp();
            var all = new List<byte[]>(keys.Length);
            int perForward = Math.Max(1, PositionsPerForward / _reader.SequenceLength);
            for (int first = 0; first < keys.Length; first += perForward)
            {
                cancellation.ThrowIfCancellationRequested();
                Batch batch = OneBatch(
                    keys.AsSpan(first, Math.Min(perForward, keys.Length - first)).ToArray(),
                    _reader
                );
                all.AddRange(records(batch));
                made += batch.Samples.Count;
                progress?.Report(
                    new TeachProgress(
                        kept + made,
                        total,
                        made * _reader.SequenceLength / Stopwatch.GetElapsedTime(start).TotalSeconds
                    )
                );
            }

            double seconds = Disk.Current.Clock.GetElapsedTime(shardStart).TotalSeconds;
            CacheShard.Write(PathOf(shard), _plan, keys, all, seconds);
        }

        ranks.Activity = "the pass, waiting for the others";
        ranks.Barrier();
        (kept, made) = ((long)ranks.Sum(kept)[0], (long)ranks.Sum(made)[0]);
        if (kept > 0)
        {
            log($"{kept} samples of an interrupted pass were kept, {made} were made.");
        }
    }

    /// <summary>The first sample that an interrupted pass has kept, and its losses; null where none was.</summary>
    public (Batch Sample, float[] Nll)? FirstKept()
    {
        (int Domain, long Index)[] keys = Keys(0);
        if (!IsWhole(0, keys, _ => { }))
        {
            return null;
        }

        using CacheShard shard = CacheShard.Open(PathOf(0), _plan);
        return (OneBatch([keys[0]], _reader), shard.Read(0).Nll);
    }

    /// <summary>Reads all files once, finds the bounds of easy, medium and hard, and writes the manifest.</summary>
    /// <param name="teacher">What is known of the teacher; the teacher pass's cost is added.</param>
    /// <param name="flopsPerToken">Of a forward pass; null where nobody knows.</param>
    /// <param name="data">Where the data set is, and its tokenizer where another program wrote it.</param>
    /// <param name="objective">The objective mix; null for causal samples.</param>
    public TeachManifest Finish(RunTeacher teacher, double? flopsPerToken, DataConfig data, ObjectiveConfig? objective)
    {
        var shards = new List<TeachShard>();
        long[] counts = new long[1 << 15];
        float[] means = new float[_samples.Count];
        long positions = 0;
        long bytes = 0;
        double seconds = 0;
        int sample = 0;
        for (int number = 0; number < ShardCount; number++)
        {
            string path = PathOf(number);
            using CacheShard shard = CacheShard.Open(path, _plan);
            for (int row = 0; row < shard.Count; row++, sample++)
            {
                float[] nll = shard.Read(row).Nll;
                Array.ForEach(nll, value => counts[BitConverter.HalfToUInt16Bits((Half)value)]++);
                means[sample] = nll.Length == 0 ? 0 : nll.Average();
                positions += nll.Length;
            }

            long size = new FileInfo(path).Length;
            (int domain, long index) = shard.Key(0);
            shards.Add(
                new TeachShard(Path.GetFileName(path), domain, index, shard.Count, size, TeacherCache.Sha256(path))
            );
            (bytes, seconds) = (bytes + size, seconds + shard.Seconds);
        }

        double? flops = (double)_samples.Count * _reader.SequenceLength * flopsPerToken;
        var manifest = new TeachManifest
        {
            Plan = _plan,
            DataPath = Path.GetFullPath(data.Path),
            DataTokenizer = data.Tokenizer is { } tokenizer ? Path.GetFullPath(tokenizer) : null,
            Objective = objective,
            Teacher = teacher with { PassFlops = flops, PassSeconds = seconds },
            Buckets = new DifficultyBuckets
            {
                TokenBounds = DifficultyBuckets.Terciles(counts),
                SequenceBounds = DifficultyBuckets.Terciles(means),
                Tokens = positions,
                Sequences = means.Length,
            },
            Positions = positions,
            Bytes = bytes,
            Shards = shards,
        };
        // A file that was kept may have been renamed by a pass that was killed before its name was on the disk.
        DurableFolder.FlushParent(PathOf(0));
        TeachJson.Write(Path.Combine(_folder, TeachManifest.FileName), manifest);
        return manifest;
    }

    private static Batch OneBatch(IReadOnlyList<(int Domain, long Index)> keys, SampleReader reader) =>
        new([.. keys.Select(key => new SampleKey(key.Domain, key.Index, 0))], reader, 0);

    private static LiveSoftLabels Run(LiveTeacher teacher, Batch batch)
    {
        int[] all = [.. Enumerable.Range(0, batch.Samples.Count)];
        (int[] first, int[] end) = batch.Ranges(all);
        return teacher.Run(
            batch.Inputs(all).to(teacher.Device),
            batch.HasRanges ? new AttentionRanges(first, end, batch.SequenceLength) : null
        );
    }

    private (int Domain, long Index)[] Keys(int shard) =>
        [
            .. Enumerable
                .Range(0, (int)Math.Min(_plan.ShardSamples, _samples.Count - ((long)shard * _plan.ShardSamples)))
                .Select(i => _samples[(shard * _plan.ShardSamples) + i]),
        ];

    private string PathOf(int shard) => Path.Combine(_folder, TeacherCache.ShardFolder, $"{shard:00000000}.teach");

    // A file of this very plan and these samples, all of whose checksums are right.
    private bool IsWhole(int number, (int Domain, long Index)[] keys, Action<string> log)
    {
        string path = PathOf(number);
        if (!File.Exists(path))
        {
            return false;
        }

        try
        {
            using CacheShard shard = CacheShard.Open(path, _plan);
            bool same =
                shard.Count == keys.Length && Enumerable.Range(0, keys.Length).All(row => shard.Key(row) == keys[row]);
            for (int row = 0; same && row < shard.Count; row++)
            {
                shard.Read(row);
            }

            return same;
        }
        catch (DataFormatException e)
        {
            log($"Made anew: {e.Message}");
            return false;
        }
    }
}
