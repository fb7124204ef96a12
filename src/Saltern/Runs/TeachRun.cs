using System.Diagnostics;
using System.Globalization;
using Saltern.Batches;
using Saltern.Distributed;
using Saltern.Files;
using Saltern.Guidance;
using Saltern.Losses;
using Saltern.Models;
using Saltern.Numerics;
using Saltern.RunFiles;
using Saltern.Shards;
using Saltern.Tokenization;
using TorchSharp;

namespace Saltern.Runs;

/// <summary>A teacher pass from request to manifest: opens what it needs, plans, makes the missing files, finds the difficulty bounds.</summary>
public static class TeachRun
{
    private const string LockFile = "teach.lock";

    /// <summary>Makes a teacher pass as <c>saltern teach</c> does, or resumes an interrupted one.</summary>
    /// <param name="request">What is asked for; <see cref="TeachRequest.Out"/> is where the soft labels or scores are afterwards.</param>
    /// <param name="log">Told what a person should know, one line each.</param>
    /// <param name="cancellation">Ends the teacher pass; files that are whole stay.</param>
    /// <exception cref="ConfigurationException">Something does not fit, or the folder holds another pass.</exception>
    public static void Run(TeachRequest request, Action<string> log, CancellationToken cancellation = default) =>
        Pass(request, log, cancellation: cancellation);

    /// <summary>Makes the teacher pass, or resumes an interrupted one.</summary>
    /// <param name="request">What is asked for.</param>
    /// <param name="log">Told what a person should know, one line each.</param>
    /// <param name="progress">Told how far it is.</param>
    /// <param name="ranks">Ranks that share the teacher pass out, each with the same request and folder; null for one process. Rank 0 plans and finishes. The files do not depend on their number, but for the seconds in their headers.</param>
    /// <param name="cancellation">Ends the teacher pass; files that are whole stay.</param>
    /// <exception cref="ConfigurationException">Something does not fit, or the folder holds another pass.</exception>
    internal static TeachManifest Pass(
        TeachRequest request,
        Action<string> log,
        IProgress<TeachProgress>? progress = null,
        ICommunicator? ranks = null,
        CancellationToken cancellation = default
    )
    {
        ranks ??= new SingleProcess();
        bool leads = ranks.Rank == 0;
        ranks.Activity = "opening the pass";
        request.Validate();
        using FileLock? held = leads ? Claim(request.Out) : null;
        if (held?.Remark is string unguarded)
        {
            log(unguarded);
        }

        ComputePlan compute = ComputePlan.Of(request.Device, Precision(request)).AgreeOn(ranks);
        foreach (string remark in compute.Remarks())
        {
            log(remark);
        }

        DataConfig dataConfig =
            request.Recipe?.Data
            ?? new DataConfig { Path = request.DataPath!, SequenceLength = request.SequenceLength!.Value };
        using TokenDataset data = TokenDataset.OpenAny(
            dataConfig.Path,
            dataConfig.Tokenizer,
            cancellation: cancellation
        );
        BpeTokenizer tokenizer = BpeTokenizer.Load(data.TokenizerPath);
        if (request.Endpoint is not null)
        {
            return PassOverWire(request, data, dataConfig, tokenizer, log, progress, ranks, cancellation);
        }

        double temperature = request.Temperature ?? request.Recipe?.Teacher?.Temperature ?? 1.0;
        TeacherParts parts = TeacherParts.Open(
            new TeacherConfig
            {
                Path = request.Teacher,
                Temperature = temperature,
                TrainedTokens = request.Recipe?.Teacher?.TrainedTokens,
                IgnoreKeys = request.IgnoreKeys ?? request.Recipe?.Teacher?.IgnoreKeys,
            },
            request.Recipe?.Objective,
            dataConfig.SequenceLength,
            tokenizer
        );
        parts.Warn(log);
        SampleReader reader = SampleReader.Create(
            [.. data.Domains.Select(domain => domain.Train)],
            dataConfig,
            request.Recipe?.Objective,
            tokenizer
        );
        (IReadOnlyList<(int Domain, long Index)> samples, TeachCoverage coverage) = Samples(
            request,
            data,
            tokenizer,
            reader
        );
        DurableFolder.Create(request.Out);
        torch.set_num_threads(request.Threads);
        UseProducts(request, ranks);
        using var teacher = new LiveTeacher(compute.Apply(parts.Load(compute.Device)), temperature);
        TeachPlan plan = PlanOf(request, data, dataConfig, tokenizer, coverage, parts.Weights) with
        {
            Temperature = temperature,
            Sampling = request.Sampling,
            DrawSeed = request.DrawSeed,
            Precision = compute.Precision == ComputePrecision.Fp32 ? null : compute.Precision,
        };
        ranks.RequireSame(
            "The samples of the pass",
            plan.Text(),
            "All ranks need the same recipe, data set and teacher under the same paths."
        );
        plan = leads
            ? Settle(
                request,
                plan,
                () => TeacherPass.PlanDraws(teacher, plan, reader, samples, Budget(request, plan), request.Threads)
            )
            : plan;
        plan = plan with { Draws = (int)ranks.FromFirst(plan.Draws), Kept = (int)ranks.FromFirst(plan.Kept) };
        log(Describe(plan));
        var pass = new TeacherPass(request.Out, plan, reader, samples);
        pass.Run(teacher, request.Threads, log, progress, ranks, cancellation);
        if (data.Domains.Any(domain => domain.Valid is { TokenCount: > 0 }))
        {
            using LossHead head = compute.CreateHead(
                tokenizer.VocabularySize,
                teacher.Config.VocabSize,
                request.Threads
            );
            foreach (ValidationSet set in ValidationSets(request, data, dataConfig, tokenizer))
            {
                TeacherLosses losses = TeacherLosses.Run(teacher, head, set, ranks);
                if (leads)
                {
                    losses.Save(request.Out, set);
                }
            }
        }

        double flops = ModelFlops.ForwardPerToken(teacher.Config, dataConfig.SequenceLength);
        return Finish(pass, parts.Record, flops, request, dataConfig, ranks);
    }

    // What a live and a served teacher's passes have in common: no temperature and no draws.
    private static TeachPlan PlanOf(
        TeachRequest request,
        TokenDataset data,
        DataConfig dataConfig,
        BpeTokenizer tokenizer,
        TeachCoverage coverage,
        string weights
    ) =>
        new()
        {
            Samples = SampleSpace.Of(data.Fingerprint, dataConfig, request.Recipe?.Objective),
            Tokenizer = tokenizer.Fingerprint,
            VocabularySize = tokenizer.VocabularySize,
            TeacherWeights = weights,
            Temperature = 1,
            Mode = request.Mode,
            Coverage = coverage,
            ShardSamples = ShardSamples(dataConfig),
        };

    // The first rank writes the manifest, which the others read.
    private static TeachManifest Finish(
        TeacherPass pass,
        RunTeacher teacher,
        double? flopsPerToken,
        TeachRequest request,
        DataConfig dataConfig,
        ICommunicator ranks
    )
    {
        ranks.Activity = "the pass's manifest";
        TeachManifest? manifest =
            ranks.Rank == 0 ? pass.Finish(teacher, flopsPerToken, dataConfig, request.Recipe?.Objective) : null;
        ranks.Barrier();
        return manifest ?? TeachManifest.Load(request.Out);
    }

    // For the curve along a run and for its end.
    private static IEnumerable<ValidationSet> ValidationSets(
        TeachRequest request,
        TokenDataset data,
        DataConfig dataConfig,
        BpeTokenizer tokenizer
    )
    {
        TrainingConfig training = request.Recipe?.Training ?? new TrainingConfig { Steps = 1 };
        return new[] { (training.EvaluationTokens, false), (training.FinalEvaluationTokens, true) }.Select(
            ((int Tokens, bool Whole) set) =>
                ValidationSet.Create(
                    [.. data.Domains.Select(domain => domain.Valid)],
                    dataConfig.SequenceLength,
                    set.Tokens,
                    set.Whole,
                    tokenizer.EndOfTextId
                )
        );
    }

    // The same pass where another program has the model in memory and names the likeliest tokens of each place.
    private static TeachManifest PassOverWire(
        TeachRequest request,
        TokenDataset data,
        DataConfig dataConfig,
        BpeTokenizer tokenizer,
        Action<string> log,
        IProgress<TeachProgress>? progress,
        ICommunicator ranks,
        CancellationToken cancellation
    )
    {
        using var teacher = EndpointTeacher.Open(
            request.Endpoint!,
            request.EndpointModel,
            request.EndpointKey,
            cancellation: cancellation
        );
        log($"teacher: {teacher.Model}, served at {request.Endpoint}");
        SampleReader reader = SampleReader.Create(
            [.. data.Domains.Select(domain => domain.Train)],
            dataConfig,
            request.Recipe?.Objective,
            tokenizer
        );
        (IReadOnlyList<(int Domain, long Index)> samples, TeachCoverage coverage) = Samples(
            request,
            data,
            tokenizer,
            reader
        );
        foreach (
            string probe in Probes(ProbeText(reader, samples, tokenizer), tokenizer, dataConfig.SequenceLength / 2)
        )
        {
            teacher.CheckTokens(tokenizer, probe, cancellation);
        }

        DurableFolder.Create(request.Out);
        string weights = TeachPlan.ServedMark + teacher.Model;
        TeachPlan plan = PlanOf(request, data, dataConfig, tokenizer, coverage, weights);
        ranks.RequireSame(
            "The samples of the pass",
            plan.Text(),
            "All ranks need the same recipe, data set and server."
        );
        bool leads = ranks.Rank == 0;
        plan = leads ? Settle(request, plan, () => 0) : plan;
        plan = plan with { Kept = (int)ranks.FromFirst(plan.Kept) };
        log(Describe(plan));
        var pass = new TeacherPass(request.Out, plan, reader, samples);
        var rows = new EndpointRows(teacher, plan);
        RequireSameModel(request, pass, rows, plan, cancellation);
        pass.Run(batch => rows.Records(batch, cancellation), log, progress, ranks, cancellation);
        if (leads && data.Domains.Any(domain => domain.Valid is { TokenCount: > 0 }))
        {
            foreach (ValidationSet set in ValidationSets(request, data, dataConfig, tokenizer))
            {
                rows.Losses(set, cancellation).Save(request.Out, set);
            }
        }

        var served = new RunTeacher { Name = teacher.Model, Weights = plan.TeacherWeights };
        return Finish(pass, served, flopsPerToken: null, request, dataConfig, ranks);
    }

    // A server does not say by what weights it answers: an interrupted pass asks again for a sample that it has.
    private static void RequireSameModel(
        TeachRequest request,
        TeacherPass pass,
        EndpointRows rows,
        TeachPlan plan,
        CancellationToken cancellation
    )
    {
        // Far above what rounding, batching and half precision make of the same weights.
        const double LargestDifference = 0.05;
        if (pass.FirstKept() is not { Nll.Length: > 0 } kept)
        {
            return;
        }

        byte[] record = rows.Records(kept.Sample, cancellation)[0];
        float[] now = SampleLabels.Read(record, plan, "the served model's answer").Nll;
        double difference = now.Zip(kept.Nll).Average(pair => Math.Abs(pair.First - pair.Second));
        if (difference > LargestDifference)
        {
            throw new ConfigurationException(
                $"--out = {request.Out} holds a pass of another model: on its first sample the losses of the one served now differ by "
                    + string.Create(CultureInfo.InvariantCulture, $"{difference:0.000} nats a token. ")
                    + "Serve the same weights again, or name another folder."
            );
        }
    }

    // The tokens of the first samples as text, cut where a character may be half.
    private static string ProbeText(
        SampleReader reader,
        IReadOnlyList<(int Domain, long Index)> samples,
        BpeTokenizer tokenizer
    )
    {
        const int Longest = 200;
        var batch = new Batch([new SampleKey(samples[0].Domain, samples[0].Index, 0)], reader, 0);
        using torch.Tensor inputs = batch.Inputs([0]);
        int[] ids = [.. inputs.data<long>().ToArray().Select(id => (int)id)];
        int end = Array.IndexOf(ids, tokenizer.EndOfTextId);
        string text = tokenizer.Decode(ids.AsSpan(0, Math.Min(Longest, end > 8 ? end : ids.Length))).Trim('\uFFFD');

        // Letters, digits, signs and scripts that many tokenizers cut in ways of their own.
        return $"{text} It's 1234567 naïve Größen, 日本: don't(x+=1)\n\n  end";
    }

    // Pieces of so many tokens at most: a model need have no more positions than a sample, and another tokenizer may make more of a text.
    private static IEnumerable<string> Probes(string text, BpeTokenizer tokenizer, int most)
    {
        string piece = "";
        foreach (string word in text.Split(' '))
        {
            string longer = piece.Length == 0 ? word : $"{piece} {word}";
            if (piece.Length > 0 && tokenizer.Encode(longer).Length > most)
            {
                yield return piece;
                longer = " " + word;
            }

            piece = longer;
        }

        yield return piece;
    }

    private static int ShardSamples(DataConfig data) =>
        Math.Clamp(TeacherPass.DefaultShardSamples * 256 / data.SequenceLength, 16, TeacherPass.DefaultShardSamples);

    // An interrupted pass goes on with the type that it found when it began.
    private static ComputePrecision Precision(TeachRequest request)
    {
        ComputePrecision wanted =
            request.Precision
            ?? request.Recipe?.Teacher?.Precision
            ?? request.Recipe?.Precision
            ?? ComputePrecision.Fp32;
        string begun = Path.Combine(request.Out, TeachPlan.FileName);
        if (wanted == ComputePrecision.Auto && File.Exists(begun))
        {
            return TeachJson.Read<TeachPlan>(begun).Precision ?? ComputePrecision.Fp32;
        }

        return wanted;
    }

    // The recipe's library where it names one; else what the program chose. Ranks take rank 0's: the two round differently.
    private static void UseProducts(TeachRequest request, ICommunicator ranks)
    {
        ProductLibrary wanted = request.Recipe is { Products: not ProductChoice.Fastest } recipe
            ? ComputePlan.ChooseProducts(recipe, resumed: null)
            : MatrixProduct.Library;
        MatrixProduct.Use(ComputePlan.AgreeOnProducts(wanted, ranks));
    }

    private static (IReadOnlyList<(int Domain, long Index)> Samples, TeachCoverage Coverage) Samples(
        TeachRequest request,
        TokenDataset data,
        BpeTokenizer tokenizer,
        SampleReader reader
    )
    {
        long all = reader.Sizes.Sum();
        if (!request.Stage1Only)
        {
            var keys = new SampleKeys(reader.Sizes);
            if (keys.Count > 0)
            {
                return (keys, new TeachCoverage(keys.Count, all, SampleKeys.Fingerprint(keys), null, keys.Count));
            }

            throw new DataFormatException(
                "The data set has no whole sequence of training text. Use more text, or shorter sequences."
            );
        }

        RunConfig recipe =
            request.Recipe ?? throw new UnreachableException("Stage 1 alone is asked for without a recipe.");
        (BatchLoader batches, _) = RunParts.OpenBatches(recipe, data, tokenizer, resumed: null);
        long drawn = StageOne.Samples(recipe);
        IReadOnlyList<(int, long)> first = batches.FirstSamples(drawn, fromSubset: recipe.Selection is not null);
        string order = batches.Stage1Order(SampleSpace.Of(data.Fingerprint, recipe.Data, recipe.Objective));
        return (first, new TeachCoverage(first.Count, all, SampleKeys.Fingerprint(first), order, drawn));
    }

    // The plan of an interrupted teacher pass stands, its draws included; anything else in the folder is not ours to replace.
    private static TeachPlan Settle(TeachRequest request, TeachPlan plan, Func<int> planDraws)
    {
        string path = Path.Combine(request.Out, TeachPlan.FileName);
        TeachPlan? before = File.Exists(path) ? TeachJson.Read<TeachPlan>(path) : null;
        if (
            before is null
            && Directory.EnumerateFileSystemEntries(request.Out).Any(entry => Path.GetFileName(entry) != LockFile)
        )
        {
            throw new ConfigurationException(
                $"--out = {request.Out} holds something, but no {TeachPlan.FileName}, "
                    + "so it is not a pass to go on with. Name another folder."
            );
        }

        // What a pass has stays, unless a budget is asked for: then it has to come to the same.
        int? Kept(int? there) => request.BytesPerPosition is null ? there : null;
        plan = plan.Mode switch
        {
            CacheMode.Sampled => plan with { Draws = request.Draws ?? Kept(before?.Draws) ?? planDraws() },
            CacheMode.TopK => plan with
            {
                Kept = Math.Min(
                    plan.VocabularySize,
                    request.Kept
                        ?? Kept(before?.Kept)
                        ?? (int)((Budget(request, plan) - CacheRecord.FixedBytes(CacheMode.TopK)) / plan.EntryBytes)
                ),
            },
            _ => plan,
        };
        if (plan is { Mode: CacheMode.TopK, Kept: < 1 })
        {
            throw new ConfigurationException(
                $"--bytes = {request.BytesPerPosition} holds no token of a position: the record takes "
                    + $"{CacheRecord.FixedBytes(CacheMode.TopK)} bytes and each token {plan.EntryBytes}. "
                    + $"Give at least {CacheRecord.FixedBytes(CacheMode.TopK) + plan.EntryBytes}, or --kept."
            );
        }

        if (before is not null && before.Text() != plan.Text())
        {
            string[] there = before.Text().Split('\n');
            string[] asked = plan.Text().Split('\n');
            IEnumerable<string> differences = Enumerable
                .Zip(there.Except(asked).DefaultIfEmpty("nothing"), asked.Except(there).DefaultIfEmpty("nothing"))
                .Select(pair => $"  there: {pair.First.Trim()}  asked for: {pair.Second.Trim()}");
            throw new ConfigurationException([
                $"--out = {request.Out} holds another pass. Name another folder, or ask for the same:",
                .. differences,
            ]);
        }

        if (before is null)
        {
            TeachJson.Write(path, plan);
        }

        return plan;
    }

    /// <summary>Average bytes of a position's soft labels where a request gives none (docs/method.md, "Soft labels on disk").</summary>
    /// <param name="idBytes">Bytes of a token id, 2 or 4.</param>
    internal static int DefaultBytesPerPosition(int idBytes) => idBytes == 2 ? 40 : 64;

    private static double Budget(TeachRequest request, TeachPlan plan) =>
        request.BytesPerPosition ?? DefaultBytesPerPosition(plan.IdBytes);

    private static string Describe(TeachPlan plan) =>
        plan.Mode switch
        {
            CacheMode.Sampled => $"{plan.Coverage.Count} of {plan.Coverage.OfAll} samples, "
                + $"{plan.Draws} {plan.Sampling.ToString().ToLowerInvariant()} draws a position at "
                + $"temperature {plan.Temperature}",
            CacheMode.TopK => $"{plan.Coverage.Count} of {plan.Coverage.OfAll} samples, "
                + $"{plan.Kept} tokens a position and a tail at temperature {plan.Temperature}",
            _ => $"{plan.Coverage.Count} of {plan.Coverage.OfAll} samples, scores alone",
        };

    private static FileLock Claim(string folder) =>
        FileLock.Take(
            Path.Combine(folder, LockFile),
            $"Another 'saltern teach' is writing into {folder}",
            "Wait for it, or name another folder."
        );
}
