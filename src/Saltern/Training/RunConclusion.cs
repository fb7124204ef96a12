using System.Text.Json;
using Saltern.Checkpoints;
using Saltern.Configuration;
using Saltern.Data;
using Saltern.Evaluation;
using Saltern.Models;
using Saltern.Reporting;

namespace Saltern.Training;

/// <summary>What a run says when it is over: losses on the whole validation set, samples of text, costs, circumstances.</summary>
internal sealed class RunConclusion(RunParts parts, Trainer trainer, RunFolder folder, int[] tokenBytes, IReadOnlyList<string> domainNames)
{
    // Evaluation along a run should not cost more than this share of its steps' time.
    private const double HighestEvaluationShare = 0.06;

    // Seconds of two runs compare only where at most this share of them had other load.
    private const double HighestLoadedShare = 0.05;

    private const int PromptTokens = 24;

    /// <summary>Evaluates, writes <c>result.json</c> and <c>eval/documents.jsonl</c>, and returns the result.</summary>
    public RunResult Write(RunConfig config, bool truncated, double peak, TrainingRunOptions options)
    {
        TrainState state = trainer.State;
        if (state.EvaluationSeconds > HighestEvaluationShare * state.Seconds && state.Step >= 100)
        {
            options.Log($"Evaluation took {100 * state.EvaluationSeconds / state.Seconds:0} % of the steps' time. A larger training.evaluate_every or a smaller training.evaluation_tokens makes it cheaper.");
        }

        ValidationSet whole = ValidationSet.Create([.. parts.Data.Domains.Select(domain => domain.Valid)], config.Data.SequenceLength, config.Training.FinalEvaluationTokens, wholeDocuments: true, parts.Tokenizer.EndOfTextId);
        EvaluationResult scores = ModelEvaluation.Run(trainer.Student, trainer.Head, whole, tokenBytes, domainNames.Count);
        WriteDocuments(scores);
        var result = new RunResult
        {
            Name = config.Name,
            Arm = config.Arm,
            Seed = config.Seed,
            Steps = state.Step,
            PlannedSteps = config.Training.Steps,
            Truncated = truncated,
            Samples = state.Samples,
            Tokens = state.Tokens,
            Seconds = state.Seconds,
            SecondsApart = new SecondsApart(state.EvaluationSeconds, state.CheckpointSeconds, state.LoggingSeconds, state.TeacherSeconds),
            Flops = state.Flops,
            TeacherFlops = state.TeacherFlops,
            Stage1EndStep = config.Distils || config.Aligns ? (state.Stage1EndStep - 1) ?? state.Step : config.Selection?.Until?.Resolve(config.Training.Steps),
            Stage1EndReason = state.Stage1EndStep is null ? null : trainer.Stage1EndReason,
            StudentParameters = trainer.Student.Parameters.Layout.ParameterCount,
            DataFingerprint = parts.Data.Fingerprint,
            OrderFingerprint = parts.Batches.Fingerprint(SampleSpace.Of(parts.Data.Fingerprint, config.Data, config.Objective), config.Training.BatchSequences),
            InitialWeightsFingerprint = state.InitialWeights,
            SecondsComparable = state.WatchedSeconds > 0 && state.LoadedSeconds <= HighestLoadedShare * state.WatchedSeconds,
            InterleavedWith = options.InterleavedWith,
            Teacher = config.Distils || config.Aligns || config.Selection is not null ? state.Teacher : null,
            Final = RunScores.Of(scores, domainNames),
            Machine = new RunMachine { Processor = MachineDescription.Processor(), Cores = Environment.ProcessorCount, Threads = state.Threads, Products = state.Products.ToString(), MatmulPeakGflops = peak / 1e9 },
            Versions = MachineDescription.Versions(),
            TextSamples = TextSamples(config.Seed),
        };
        DurableFolder.WriteText(folder.PathOf(RunFolder.ResultFile), result.ToJson());
        return result;
    }

    private void WriteDocuments(EvaluationResult scores)
    {
        string path = folder.PathOf(RunFolder.DocumentsFile);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        DurableFolder.WriteText(path, string.Concat(scores.Documents.Select(d =>
            JsonSerializer.Serialize(new { domain = domainNames[d.Document.Domain], document = d.Document.Document, tokens = d.Document.TargetCount, nll = d.Nll }) + "\n")));
    }

    // The beginnings of two validation documents, and how the model goes on.
    private IReadOnlyList<TextSample> TextSamples(int seed) => [.. parts.CurveSet.Documents.Where(document => document.TargetCount > 2 * PromptTokens).Take(2).Select(document =>
    {
        int[] prompt = [.. parts.CurveSet.Labels.AsSpan((int)document.FirstTarget, PromptTokens).ToArray().Select(id => (int)id)];
        var options = new SamplingOptions { MaxTokens = 96, Temperature = 0.7, TopP = 0.95, Seed = seed };
        int[] added = [.. TextGenerator.Generate(trainer.Student, prompt, parts.Tokenizer.EndOfTextId, parts.Tokenizer.VocabularySize, options)];
        return new TextSample(parts.Tokenizer.Decode(prompt), parts.Tokenizer.Decode(added));
    })];
}
