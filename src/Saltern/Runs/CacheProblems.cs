using Saltern.Batches;
using Saltern.Checkpoints;
using Saltern.Guidance;
using Saltern.Shards;
using Saltern.Tokenization;

namespace Saltern.Runs;

/// <summary>What a cache of soft labels and a run differ in; each sentence names both sides.</summary>
internal static class CacheProblems
{
    /// <summary>Every difference; none where the run may be taught from the cache.</summary>
    public static IEnumerable<string> Of(
        TeacherCache cache,
        RunConfig config,
        TokenDataset? data,
        BpeTokenizer? tokenizer,
        BatchLoader? batches,
        TrainState? resumed
    )
    {
        string owner = $"teacher.cache = {cache.Folder}";
        string[] differences = [.. OfPlan(cache.Plan, config, data?.Fingerprint)];
        foreach (string difference in differences)
        {
            yield return difference;
        }

        if (tokenizer is not null && cache.Plan.Tokenizer != tokenizer.Fingerprint)
        {
            yield return $"{owner} was made with the tokenizer {cache.Plan.Tokenizer}, "
                + $"but the data set has {tokenizer.Fingerprint}. Soft labels need the same token ids.";
        }

        if (config.Distillation is not null && cache.GateProblem(config.Distillation.Gate) is string gate)
        {
            yield return gate;
        }

        if (
            batches is not null
            && data is not null
            && differences.Length == 0
            && MissingSamples(cache, config, data, batches, resumed) is string missing
        )
        {
            yield return $"{owner} {missing}";
        }
    }

    /// <summary>Refuses a wrong pair from two small files, before gigabytes of tokens are read for their checksums.</summary>
    /// <exception cref="ConfigurationException">Cache and run do not fit.</exception>
    public static void RefuseWrongPair(RunConfig config)
    {
        TeachPlan plan;
        string data;
        try
        {
            plan = TeachManifest.Load(config.Teacher!.Cache!).Plan;
            data = DatasetManifest.Load(config.Data.Path).Fingerprint;
        }
        catch (SalternException)
        {
            return; // what is missing or damaged is told by whoever needs it, together with all other problems
        }

        string[] problems = [.. OfPlan(plan, config, data)];
        if (problems.Length > 0)
        {
            throw new ConfigurationException(problems);
        }
    }

    private static IEnumerable<string> OfPlan(TeachPlan plan, RunConfig config, string? data)
    {
        string owner = $"teacher.cache = {config.Teacher!.Cache}";
        if (plan.Mode == CacheMode.Scores)
        {
            yield return $"{owner} holds scores alone, no soft labels. Run 'saltern teach' with --mode sampled or top_k.";
        }

        if (plan.Temperature != config.Teacher.Temperature)
        {
            yield return $"{owner} was made at temperature {plan.Temperature}, "
                + $"but teacher.temperature = {config.Teacher.Temperature}. "
                + $"Make it again with --temperature {config.Teacher.Temperature}, or change the recipe.";
        }

        if (data is null)
        {
            yield break;
        }

        SampleSpace run = SampleSpace.Of(data, config.Data, config.Objective);
        foreach (string difference in plan.Samples.DifferencesFrom(run, owner))
        {
            yield return difference;
        }
    }

    // A teacher pass over stage 1 of the same order covers every shorter one; for another order each sample is looked for.
    private static string? MissingSamples(
        TeacherCache cache,
        RunConfig config,
        TokenDataset data,
        BatchLoader batches,
        TrainState? resumed
    )
    {
        TeachCoverage coverage = cache.Plan.Coverage;
        if (coverage.IsWhole || !config.Distils)
        {
            return null;
        }

        long drawn = StageOne.Samples(config, resumed);
        if (
            coverage.Order == batches.Stage1Order(SampleSpace.Of(data.Fingerprint, config.Data, config.Objective))
            && coverage.Drawn >= drawn
        )
        {
            return null;
        }

        IReadOnlyList<(int Domain, long Index)> needed = batches.FirstSamples(
            drawn,
            fromSubset: config.Selection is not null
        );
        int missing = needed.Count(key => !cache.Has(key.Domain, key.Index));
        if (missing == 0)
        {
            return null;
        }

        return $"holds {coverage.Count} of {coverage.OfAll} samples, "
            + $"those of the first {coverage.Drawn} draws of another order, or of a shorter stage 1: "
            + $"{missing} of the {needed.Count} samples that this run's stage 1 may draw are missing. "
            + "Make the pass for this recipe, or over all samples (without --stage1-only).";
    }
}
