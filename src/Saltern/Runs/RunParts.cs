using System.Security.Cryptography;
using Saltern.Batches;
using Saltern.Checkpoints;
using Saltern.Files;
using Saltern.Growth;
using Saltern.Guidance;
using Saltern.Losses;
using Saltern.ModelFiles;
using Saltern.Models;
using Saltern.Numerics;
using Saltern.RunFiles;
using Saltern.Selection;
using Saltern.Shards;
using Saltern.Tokenization;
using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Runs;

/// <summary>Opens everything that a recipe names and checks that it fits together, before any training and before anything is written.</summary>
internal sealed class RunParts : IDisposable
{
    private TokenDataset? _data;
    private TeacherParts? _teacher;
    private bool _stageOneIsOver;
    private string? _resumedWeights;

    private RunParts() { }

    /// <summary>What the run is trained and measured on.</summary>
    public required RunText Text { get; init; }

    /// <summary>Its tokenizer.</summary>
    public required BpeTokenizer Tokenizer { get; init; }

    /// <summary>The student's resolved shape: at the end, where it grows.</summary>
    public required TransformerConfig Model { get; init; }

    /// <summary>The student's shapes along the run: one stage where it does not grow.</summary>
    public required GrowthPlan Stages { get; init; }

    /// <summary>The model that the run starts from; null for fresh weights, and where a checkpoint has them.</summary>
    private InitialModel? Initial { get; init; }

    /// <summary>Adapters that are trained in place of the student's weights; null where those are.</summary>
    private LowRankConfig? Adapters { get; init; }

    /// <summary>State of the checkpoint whose samples the run goes on with; null where they begin.</summary>
    public TrainState? Continued { get; private init; }

    /// <summary>Training text in the run's order.</summary>
    public required BatchLoader Batches { get; init; }

    /// <summary>Where and how the run computes.</summary>
    public required ComputePlan Compute { get; set; }

    /// <summary>What stage 1 draws from; null for all samples.</summary>
    public SelectionManifest? Selection { get; private init; }

    /// <summary>What is measured along the run besides loss and accuracy; null for nothing.</summary>
    internal RunInstruments? Instruments { get; private init; }

    /// <summary>The teacher's soft labels on disk; null where it runs live or none is needed. <see cref="CreateGuidance"/> hands it over.</summary>
    public TeacherCache? TeacherCache => _teacher?.Cache;

    /// <summary>Model folder of the teacher; null where none is needed or a cache stands for it.</summary>
    public string? TeacherFolder => _teacher?.Folder;

    /// <summary>Loads the teacher's model; the caller owns it.</summary>
    /// <param name="loading">Is told of the loading; null for nobody.</param>
    public Transformer LoadTeacher(IProgress<WeightProgress>? loading = null) =>
        _teacher?.Load(Compute.Device, loading)
        ?? throw new System.Diagnostics.UnreachableException("The parts have no teacher.");

    /// <summary>The teacher's own tokenizer where it may be another than the data set's; else null.</summary>
    internal BpeTokenizer? TeacherTokenizer => _teacher?.Tokenizer;

    /// <summary>Fingerprint of its weights file; empty where none is needed.</summary>
    public string TeacherWeights => _teacher?.Weights ?? "";

    /// <summary>What is known of the teacher, or of the model that selected the data, its own training and its passes; null where there is none.</summary>
    public RunTeacher? TeacherRecord => TeacherParts.WithScoring(_teacher, Selection);

    /// <summary>Opens data set, tokenizer and texts, and looks at the teacher and the initial weights as far as they are needed.</summary>
    /// <param name="resumed">State that the run is resumed from; null where it starts.</param>
    /// <param name="verifyData">Whether to read every file of the data whole even where that was done before.</param>
    /// <exception cref="ConfigurationException">Something does not fit; every problem is listed.</exception>
    public static RunParts Open(RunConfig config, TrainState? resumed, bool verifyData = false)
    {
        if (config.Teacher?.Cache is not null && !StageOne.IsOver(config, resumed))
        {
            CacheProblems.RefuseWrongPair(config);
        }

        var problems = new List<string>();
        TokenDataset? data = null;
        BpeTokenizer? tokenizer = null;
        BatchLoader? batches = null;
        TrainState? continued = null;
        InitialModel? initial = null;
        RunText? text = null;
        TeacherParts? teacher = null;
        SelectionManifest? selection = null;
        RunInstruments? instruments = null;
        if (resumed is null)
        {
            Collect(problems, () => initial = InitialModel.Find(config.InitFrom));
        }

        Collect(
            problems,
            () =>
            {
                data = TokenDataset.OpenAny(config.Data.Path, config.Data.Tokenizer, verifyData);
                tokenizer = BpeTokenizer.Load(data.TokenizerPath);
            }
        );
        if (data is not null && tokenizer is not null)
        {
            Collect(problems, () => CheckData(config, resumed, data));
            Collect(problems, () => continued = initial?.ContinuedData(config, data.Fingerprint));

            Collect(problems, () => (batches, selection) = OpenBatches(config, data, tokenizer, resumed));
            Collect(problems, () => text = RunText.Of(data, config, tokenizer));
            Collect(
                problems,
                () =>
                {
                    instruments = RunInstruments.Open(config.Evaluation, data.Fingerprint);
                    if (text is not null)
                    {
                        instruments?.Prepare(text.CurveSet);
                        instruments?.Prepare(text.WholeSet);
                    }
                }
            );
        }

        // Once stage 1 is over the teacher is needed no more, wherever it may be by then.
        GuidanceKind? kind = GuidanceKinds.Named(config);
        bool stageOneIsOver = resumed?.Stage1LastStep is not null;
        if (kind is not null && config.Teacher is TeacherConfig named && !stageOneIsOver)
        {
            Collect(problems, () => teacher = kind.OpenTeacher(config, named, data, tokenizer, batches, resumed));
        }

        if (teacher is not null)
        {
            Collect(problems, () => initial?.RefuseOwnLabels(config, teacher));
        }

        ComputePlan? compute = null;
        Collect(problems, () => compute = ComputePlan.Of(config, resumed?.Precision));

        TransformerConfig model = config.Model.Resolve(tokenizer?.VocabularySize ?? 1, config.Data.SequenceLength);
        GrowthPlan? stages = null;
        if (tokenizer is not null)
        {
            stages = CheckModel(config, model, tokenizer, resumed, initial, problems);
        }

        Collect(problems, () => kind?.CheckStudent(config, model));

        // Whatever is null has left its problem.
        if (
            problems.Count > 0
            || text is null
            || tokenizer is null
            || batches is null
            || compute is null
            || stages is null
        )
        {
            data?.Dispose();
            teacher?.Cache?.Dispose();

            // What the stages have wrong stops the samples, which follow from them, too.
            throw new ConfigurationException([.. problems.Distinct()]);
        }

        return new RunParts
        {
            Text = text,
            Tokenizer = tokenizer,
            Model = model,
            Stages = stages,
            Initial = initial,
            EndTokens = resumed?.EndTokens ?? EndTokensOf(initial, tokenizer),
            Continued = continued,
            Batches = batches,
            Compute = compute,
            Selection = selection,
            Instruments = instruments,
            _data = data,
            _teacher = teacher,
            _stageOneIsOver = stageOneIsOver,
        };
    }

    /// <summary>The stages of a recipe, whose data set says the vocabulary; one stage needs no data.</summary>
    /// <exception cref="ConfigurationException">The stages do not fit together.</exception>
    internal static GrowthPlan PlanStages(RunConfig config)
    {
        if (config.Growth is not { Count: > 0 })
        {
            return config.PlanStages(vocabulary: 1);
        }

        using var data = TokenDataset.OpenAny(config.Data.Path, config.Data.Tokenizer);
        return config.PlanStages(BpeTokenizer.Load(data.TokenizerPath).VocabularySize);
    }

    /// <summary>Parts of a run without a teacher on text that is held in memory.</summary>
    /// <param name="text">What it is trained and measured on.</param>
    /// <param name="batches">Training text in the run's order.</param>
    /// <param name="resumed">State that the run is resumed from; null where it starts.</param>
    /// <param name="adapters">Adapters that are trained in place of the student's weights; null where those are.</param>
    /// <exception cref="ConfigurationException">Model, tokenizer and length do not fit together, or there is no such device; every problem is listed.</exception>
    internal static RunParts Of(
        RunConfig config,
        RunText text,
        BpeTokenizer tokenizer,
        BatchLoader batches,
        TrainState? resumed,
        LowRankConfig? adapters = null
    )
    {
        var problems = new List<string>();
        ComputePlan? compute = null;
        Collect(problems, () => compute = ComputePlan.Of(config, resumed?.Precision));
        TransformerConfig model = config.Model.Resolve(tokenizer.VocabularySize, config.Data.SequenceLength);
        InitialModel? initial = null;
        Collect(problems, () => initial = InitialModel.Find(config.InitFrom));
        GrowthPlan? stages = CheckModel(config, model, tokenizer, null, initial, problems);
        if (problems.Count > 0 || compute is null || stages is null)
        {
            throw new ConfigurationException(problems);
        }

        return new RunParts
        {
            Text = text,
            Tokenizer = tokenizer,
            Model = model,
            Stages = stages,
            Initial = initial,
            Adapters = adapters,
            _resumedWeights = resumed?.InitialWeights,
            EndTokens = resumed?.EndTokens ?? [.. EndTokensOf(initial, tokenizer).Union(EndOfReply(text))],
            Batches = batches,
            Compute = compute,
        };
    }

    /// <summary>The student: fresh, from <c>init_from</c>, or, where a checkpoint is about to fill it, empty. The caller owns it.</summary>
    /// <param name="resumedStep">Step of the checkpoint that fills it; null where none does.</param>
    /// <param name="loading">Is told of the loading; null for nobody.</param>
    public Transformer CreateStudent(RunConfig config, int? resumedStep, IProgress<WeightProgress>? loading = null)
    {
        if (Adapters is not null)
        {
            return CreateAdapted(Adapters, config.Seed, loading);
        }

        Transformer student = CreateModel(Stages.At(resumedStep ?? 0).Model);
        if (resumedStep is not null)
        {
            return student;
        }

        if (Initial is null)
        {
            student.Initialize(config.Seed);
        }
        else
        {
            Initial.Fill(student, config.Seed, loading);
        }

        return student;
    }

    // Frozen weights are always those that the run started from: a checkpoint has the adapters, and weights that have them merged in.
    private Transformer CreateAdapted(LowRankConfig adapters, int seed, IProgress<WeightProgress>? loading)
    {
        Transformer student = Compute.Apply(
            new Transformer(Stages.At(0).Model, trainable: false, device: Compute.Device)
        );
        try
        {
            Initial!.Fill(student, seed, loading);
            string weights = WeightsFingerprint(student);
            if (_resumedWeights is not null && _resumedWeights != weights)
            {
                throw new ConfigurationException(
                    $"init_from: the adapters were trained beside the weights {_resumedWeights}, but the model has {weights} now. "
                        + "Put the old model back, or start a new run."
                );
            }

            student.Adapt(adapters, seed);
            return student;
        }
        catch
        {
            student.Dispose();
            throw;
        }
    }

    /// <summary>A trainable model where and how the run computes, its weights zero. The caller owns it.</summary>
    /// <param name="model">Resolved shape.</param>
    public Transformer CreateModel(TransformerConfig model) =>
        Compute.Apply(new Transformer(model, trainable: true, Compute.WeightForm, device: Compute.Device));

    /// <summary>What the small model adds to the steps; its memory is taken, or its files opened, here. The caller owns it.</summary>
    /// <param name="threads">Threads for our own kernels.</param>
    /// <param name="options">What the caller gives besides the recipe; null for nothing.</param>
    public StageGuidance CreateGuidance(RunConfig config, int threads, GuidanceOptions? options = null)
    {
        options ??= new GuidanceOptions();
        int domains = Text.Domains.Count;
        if (GuidanceKinds.Active(config) is not GuidanceKind kind)
        {
            return new NoGuidance(domains);
        }

        Transition weights = options.Transition ?? kind.CreateTransition(config, domains);
        if (_stageOneIsOver)
        {
            // It was before the checkpoint: no teacher, but the transition still says that, and why.
            return new NoGuidance(domains, weights);
        }

        return kind.Create(config, this, weights, threads, options);
    }

    /// <summary>The tokens at which the student stops writing; the first ends a document.</summary>
    public IReadOnlyList<int> EndTokens { get; private init; } = [];

    /// <summary>Says what is allowed but likely not meant, and what of the models' configs was passed over.</summary>
    public void Warn(Action<string> log)
    {
        Initial?.Warn(log);
        _teacher?.Warn(log);
    }

    /// <summary>The teacher's losses on the curve set: computed once, or as its pass left them; null without a teacher.</summary>
    /// <param name="threads">Threads for our own kernels.</param>
    /// <param name="options">The ranks, and where words go.</param>
    public TeacherValidation? ValidateTeacher(
        RunConfig config,
        Teacher? teacher,
        int threads,
        TrainingRunOptions options
    )
    {
        if (teacher is null)
        {
            return null;
        }

        ComputePlan compute = Compute.For(config.Teacher?.Precision);
        LossHead CreateHead(int rows) => compute.CreateHead(Tokenizer.VocabularySize, rows, threads);
        if (teacher.LossesOn(Text.CurveSet, CreateHead, options.Ranks) is TeacherLosses losses)
        {
            return new TeacherValidation(losses, Text.CurveSet);
        }

        options.Log(
            "The teacher's pass has no losses for this run's validation text, so valid/gap is not logged. "
                + "It was made for another training.evaluation_tokens."
        );
        return null;
    }

    /// <summary>The state of a run that starts.</summary>
    /// <param name="student">With its first weights.</param>
    /// <param name="threads">Threads that each rank computes with.</param>
    internal TrainState FreshState(RunConfig config, Transformer student, int threads, int ranks)
    {
        string initialWeights = WeightsFingerprint(student);
        return new TrainState
        {
            Run = RunIdentity.Of(config with { Precision = Compute.Precision }, Text.Fingerprint, initialWeights),
            StageEnds = Stages.Ends,
            FirstSample = Continued?.Samples ?? 0,
            OptimizerFlops = 0,
            Threads = threads,
            Ranks = ranks,
            Products = MatrixProduct.Library,
            Precision = Compute.FoundPrecision,
            Samples = Continued?.Samples ?? 0,
            PlannedSamples = Stages.Samples,
            Origin = Initial?.History(Stages.At(0).Model) ?? [],
            IsFineTuning = Text.Arm is not null,
            ChatTemplate = Text.ChatTemplate,
            EndTokens = ModelFiles.EndTokens.NeedFile(EndTokens, Tokenizer) ? EndTokens : null,
            Selection = Selection?.Sha256 ?? "",
            InitialWeights = initialWeights,
            DataFingerprint = Text.Fingerprint,
            TeacherWeights = TeacherWeights,
            Teacher = TeacherRecord,
        };
    }

    /// <summary>Gives a run's first optimizer the state that the recipe takes over from the model that it starts from; nothing for fresh weights.</summary>
    public void FillState(Saltern.Optimization.Optimizer optimizer, Transformer student) =>
        Initial?.FillState(optimizer, student);

    /// <summary>Samples that a run was planned to draw when it started: what data.mixture.max_epochs is reckoned from.</summary>
    private static long PlannedSamples(RunConfig config, BpeTokenizer tokenizer, TrainState? resumed)
    {
        if (resumed is { PlannedSamples: > 0 })
        {
            return resumed.PlannedSamples;
        }

        return config.PlanStages(tokenizer.VocabularySize).Samples;
    }

    /// <summary>Fingerprint of a model's weights.</summary>
    public static unsafe Fingerprint WeightsFingerprint(Transformer model)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (ParameterSlice slice in model.Parameters.Layout.Slices)
        {
            using DisposeScope scope = NewDisposeScope();
            Tensor weight = model.Parameters.Wide(slice.Offset, slice.Count).detach().cpu();
            long bytes = slice.Count * weight.ElementSize;
            hash.AppendData(new ReadOnlySpan<byte>((void*)TensorAddress.Of(weight), checked((int)bytes)));
        }

        return Fingerprint.Of(hash);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Batches.Dispose();
        _data?.Dispose();
    }

    private static IReadOnlyList<int> EndTokensOf(InitialModel? initial, BpeTokenizer tokenizer) =>
        initial?.EndTokens(tokenizer) ?? [tokenizer.EndOfTextId];

    private static IEnumerable<int> EndOfReply(RunText text)
    {
        if (text.EndOfReply is int end)
        {
            yield return end;
        }
    }

    private static void CheckData(RunConfig config, TrainState? resumed, TokenDataset data)
    {
        if (resumed is { DataFingerprint.Length: > 0 } && resumed.DataFingerprint != data.Fingerprint)
        {
            throw new ConfigurationException(
                $"data.path = {config.Data.Path}: the run was trained on the data set {resumed.DataFingerprint}, "
                    + $"but this is {data.Fingerprint}. Put the old data set back, or start a new run."
            );
        }

        string[] known = [.. data.Domains.Select(domain => domain.Name)];
        string[] unknown = [.. (config.Distillation?.GateDomains?.Keys ?? []).Except(known)];
        if (unknown.Length > 0)
        {
            throw new ConfigurationException([
                .. unknown.Select(name =>
                    $"distillation.gate_domains: the data set has no domain '{name}'. It has {string.Join(", ", known)}."
                ),
            ]);
        }
    }

    internal static (BatchLoader Batches, SelectionManifest? Selection) OpenBatches(
        RunConfig config,
        TokenDataset data,
        BpeTokenizer tokenizer,
        TrainState? resumed
    )
    {
        SampleReader reader = SampleReader.Create(
            [.. data.Domains.Select(domain => domain.Train)],
            config.Data,
            config.Objective,
            tokenizer
        );

        // A resumed run keeps the plan that its shares were made for, so that its stream stays the same whatever the batch size is now.
        double[] shares = DomainShares.Of(
            config.Data.Mixture,
            [.. data.Domains.Select(domain => domain.Name)],
            reader.Sizes,
            PlannedSamples(config, tokenizer, resumed)
        );
        if (config.Selection is null || StageOne.IsOver(config, resumed))
        {
            return (new BatchLoader(reader, shares, config.Seed), null);
        }

        (SelectionManifest selection, SampleSubset samples) = SelectionFolder.Read(config.Selection.Path);
        List<string> differences =
        [
            .. selection.Samples.DifferencesFrom(
                SampleSpace.Of(data.Fingerprint, config.Data, config.Objective),
                $"selection.path = {config.Selection.Path}"
            ),
        ];
        if (resumed is { Selection.Length: > 0 } && resumed.Selection != selection.Sha256)
        {
            differences.Add(
                $"selection.path = {config.Selection.Path}: "
                    + $"the run drew from the list {resumed.Selection}, but this is {selection.Sha256}. "
                    + "Put the old list back, or start a new run."
            );
        }

        if (differences.Count > 0)
        {
            throw new ConfigurationException(differences);
        }

        return (new BatchLoader(reader, shares, config.Seed, samples), selection);
    }

    // The stages; null where there is a problem with them.
    private static GrowthPlan? CheckModel(
        RunConfig config,
        TransformerConfig model,
        BpeTokenizer tokenizer,
        TrainState? resumed,
        InitialModel? initial,
        List<string> problems
    )
    {
        if (model.VocabSize < tokenizer.VocabularySize)
        {
            problems.Add(
                $"model.vocab_size = {model.VocabSize} is smaller than the tokenizer's {tokenizer.VocabularySize} ids. "
                    + $"Leave it out, or give at least {tokenizer.VocabularySize}."
            );
        }

        if (model.MaxPositionEmbeddings < config.Data.SequenceLength)
        {
            problems.Add(
                $"model.max_position_embeddings = {model.MaxPositionEmbeddings} is shorter than data.sequence_length = "
                    + $"{config.Data.SequenceLength}. "
                    + $"Leave it out, or give at least {config.Data.SequenceLength}."
            );
        }

        GrowthPlan? stages = null;
        Collect(
            problems,
            () =>
            {
                stages = config.PlanStages(tokenizer.VocabularySize);
                _ = config.UpdateSchedule(stages);
            }
        );
        if (stages is not null)
        {
            Collect(problems, () => initial?.Check(stages.At(0).Model));
            if (resumed is { StageEnds.Count: > 1 } && !resumed.StageEnds.SequenceEqual(stages.Ends))
            {
                string key = config.Growth is { Count: > 0 } ? "growth" : "training.batch_warmup";
                problems.Add(
                    $"{key}: the stages of the run ended with steps {string.Join(", ", resumed.StageEnds)} when it began, "
                        + $"and would end with {string.Join(", ", stages.Ends)} now, because a share follows from what was changed. "
                        + "Change it back, or give 'until' in steps."
                );
            }
        }

        return stages;
    }

    private static void Collect(List<string> problems, Action check)
    {
        try
        {
            check();
        }
        catch (ConfigurationException e)
        {
            problems.AddRange(e.Problems);
        }
        catch (SalternException e)
        {
            problems.Add(e.Message);
        }
    }
}
