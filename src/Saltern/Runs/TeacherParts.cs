using System.Diagnostics;
using Saltern.Batches;
using Saltern.Checkpoints;
using Saltern.Configuration;
using Saltern.Guidance;
using Saltern.ModelFiles;
using Saltern.Models;
using Saltern.RunFiles;
using Saltern.Selection;
using Saltern.Shards;
using Saltern.Tokenization;
using TorchSharp;

namespace Saltern.Runs;

/// <summary>A teacher on disk, checked against the data set and the run.</summary>
/// <param name="Folder">Model folder; null where a cache stands for the model.</param>
/// <param name="Cache">Its soft labels on disk; null for a teacher that runs live.</param>
/// <param name="Weights">Fingerprint of its weights file.</param>
/// <param name="Record">What is known of it, its own training and its passes.</param>
internal sealed record TeacherParts(string? Folder, TeacherCache? Cache, string Weights, RunTeacher Record)
{
    /// <summary>The model's shape, and what of its config was passed over; null where a cache stands for it.</summary>
    private ConfigReading? Reading { get; init; }

    /// <summary>What is allowed but likely not meant; null where nothing is.</summary>
    public string? Warning { get; private init; }

    /// <summary>The teacher's tokenizer where it may be another than the data set's: for alignment; else null.</summary>
    public BpeTokenizer? Tokenizer { get; private init; }

    /// <summary>Finds and checks the teacher that a recipe names.</summary>
    /// <param name="teacher">Section with a path.</param>
    /// <param name="objective">The run's objective mix; null for causal.</param>
    /// <param name="tokenizer">The data set's; null where that is not known, which is a problem of its own.</param>
    /// <param name="resumed">State that the run is resumed from; null where it starts.</param>
    /// <exception cref="ConfigurationException">Tokenizer, vocabulary, length or, on resume, the weights do not fit.</exception>
    public static TeacherParts Open(
        TeacherConfig teacher,
        ObjectiveConfig? objective,
        int sequenceLength,
        BpeTokenizer? tokenizer,
        TrainState? resumed = null
    )
    {
        string path = teacher.Path!;
        string folder = ModelLocation.Resolve(path);
        ConfigReading reading = ModelFolder.ReadConfig(folder, teacher.IgnoreKeys);
        TransformerConfig shape = reading.Shape;
        if (tokenizer is not null)
        {
            CheckTokenizer(path, folder, shape, tokenizer);
        }

        if (shape.MaxPositionEmbeddings < sequenceLength)
        {
            throw new ConfigurationException(
                $"teacher.path = {path} knows {shape.MaxPositionEmbeddings} positions, "
                    + $"but data.sequence_length = {sequenceLength}. "
                    + "Train the teacher on sequences as long, or shorten them."
            );
        }

        return new TeacherParts(folder, null, CheckedWeights(path, folder, resumed), Describe(teacher, folder, reading))
        {
            Reading = reading,
            Warning = ObjectiveWarning(path, RunOf(path, folder), objective),
        };
    }

    /// <summary>Finds and checks a teacher whose hidden states are aligned with: any tokenizer that can be read will do.</summary>
    /// <param name="teacher">Section with a path.</param>
    /// <param name="alignment">Names the layers.</param>
    /// <param name="sequenceLength">T.</param>
    /// <param name="resumed">State that the run is resumed from; null where it starts.</param>
    /// <exception cref="ConfigurationException">Vocabulary, layer or, on resume, the weights do not fit.</exception>
    public static TeacherParts OpenForAlignment(
        TeacherConfig teacher,
        AlignmentConfig alignment,
        int sequenceLength,
        TrainState? resumed
    )
    {
        string path = teacher.Path!;
        string folder = ModelLocation.Resolve(path);
        ConfigReading reading = ModelFolder.ReadConfig(folder, teacher.IgnoreKeys);
        TransformerConfig shape = reading.Shape;
        BpeTokenizer tokenizer = LoadTokenizer(path, folder, "the sample's text cannot be put into its tokens");
        CheckRows(path, shape, tokenizer);
        alignment.ResolveTeacherLayer(shape.NumHiddenLayers);
        return new TeacherParts(folder, null, CheckedWeights(path, folder, resumed), Describe(teacher, folder, reading))
        {
            Reading = reading,
            Tokenizer = tokenizer,
            Warning =
                shape.MaxPositionEmbeddings < sequenceLength
                    ? $"teacher.path = {path} knows {shape.MaxPositionEmbeddings} positions, "
                        + $"fewer than the sequences of {sequenceLength} tokens: "
                        + "what lies beyond is not aligned."
                    : null,
        };
    }

    /// <summary>Loads the model; the caller owns it.</summary>
    /// <param name="device">Where its weights are to live.</param>
    /// <param name="loading">Is told of the loading; null for nobody.</param>
    /// <exception cref="DataFormatException">Its weights are damaged or not finite; the message says that it is the teacher.</exception>
    public Transformer Load(torch.Device device, IProgress<WeightProgress>? loading = null)
    {
        if (Folder is not string folder || Reading is not ConfigReading reading)
        {
            throw new UnreachableException("A cache stands for the teacher.");
        }

        try
        {
            return ModelFolder.Load(folder, reading.Shape, trainable: false, loading, device);
        }
        catch (DataFormatException problem)
        {
            throw new DataFormatException($"The teacher cannot be used. {problem.Message}", problem);
        }
    }

    /// <summary>Says what of its config was passed over, and the warning, if there is one.</summary>
    public void Warn(Action<string> log)
    {
        if (Reading?.Remark is string remark)
        {
            log(remark);
        }

        if (Warning is not null)
        {
            log(Warning);
        }
    }

    /// <summary>Opens the cache that a recipe names and checks that it was made by this teacher, for these samples.</summary>
    /// <param name="teacher">Its section, with a cache.</param>
    /// <param name="data">The data set; null where it could not be opened, which is a problem of its own.</param>
    /// <param name="tokenizer">Its tokenizer; null likewise.</param>
    /// <param name="batches">The run's samples; null likewise.</param>
    /// <param name="resumed">State that the run is resumed from; null where it starts.</param>
    /// <exception cref="ConfigurationException">Cache and run do not fit; every difference is named with both sides.</exception>
    public static TeacherParts OpenCache(
        RunConfig config,
        TeacherConfig teacher,
        TokenDataset? data,
        BpeTokenizer? tokenizer,
        BatchLoader? batches,
        TrainState? resumed
    )
    {
        TeacherCache cache = TeacherCache.Open(teacher.Cache!);
        List<string> problems = [.. CacheProblems.Of(cache, config, data, tokenizer, batches, resumed)];
        if (
            teacher.Path is string path
            && TeacherWeights.Fingerprint(ModelLocation.Resolve(path)) is var found
            && found != cache.Plan.TeacherWeights
        )
        {
            problems.Add(
                $"teacher.cache = {cache.Folder} was made by the weights {cache.Plan.TeacherWeights}, "
                    + $"but teacher.path = {path} has {found}. "
                    + "Make a pass of this teacher, or remove teacher.path."
            );
        }

        if (resumed is { TeacherWeights.Length: > 0 } && resumed.TeacherWeights != cache.Plan.TeacherWeights)
        {
            problems.Add(
                $"teacher.cache = {cache.Folder} was made by the weights {cache.Plan.TeacherWeights}, "
                    + $"but the run was taught by {resumed.TeacherWeights}. "
                    + "Name the old cache, or start a new run."
            );
        }

        if (problems.Count > 0)
        {
            cache.Dispose();
            throw new ConfigurationException(problems);
        }

        return new TeacherParts(
            null,
            cache,
            cache.Plan.TeacherWeights,
            cache.Manifest.Teacher.WithTokens(teacher.TrainedTokens)
        );
    }

    /// <summary>The teacher's record with what the teacher pass cost that scored the selected data; a teacher pass that served for both counts once.</summary>
    /// <param name="teacher">The teacher; null without one.</param>
    /// <param name="selection">The selection; null without one.</param>
    public static RunTeacher? WithScoring(TeacherParts? teacher, SelectionManifest? selection)
    {
        if (selection is null || teacher?.Cache?.Manifest.Fingerprint() == selection.Scores)
        {
            return teacher?.Record;
        }

        if (teacher is null)
        {
            return selection.Teacher;
        }

        return teacher.Record with
        {
            PassFlops = (teacher.Record.PassFlops ?? 0) + selection.Teacher.PassFlops,
            PassSeconds = (teacher.Record.PassSeconds ?? 0) + selection.Teacher.PassSeconds,
        };
    }

    private static string CheckedWeights(string path, string folder, TrainState? resumed)
    {
        string weights = TeacherWeights.Fingerprint(folder);
        if (resumed is { TeacherWeights.Length: > 0 } && resumed.TeacherWeights != weights)
        {
            throw new ConfigurationException(
                $"teacher.path = {path}: the run was taught by the weights {resumed.TeacherWeights}, "
                    + $"but {folder} now has {weights}. "
                    + "Name the old checkpoint as teacher.path, or start a new run."
            );
        }

        return weights;
    }

    private static void CheckTokenizer(string path, string folder, TransformerConfig shape, BpeTokenizer tokenizer)
    {
        string fingerprint = LoadTokenizer(
            path,
            folder,
            "it cannot be shown to use the data set's tokenizer"
        ).Fingerprint;
        if (fingerprint != tokenizer.Fingerprint)
        {
            throw new ConfigurationException(
                $"teacher.path = {path} has another tokenizer than the data set ({fingerprint} against "
                    + $"{tokenizer.Fingerprint}). Soft labels are probabilities of the same token ids: "
                    + "take a teacher with the data set's tokenizer, "
                    + "or replace the section distillation by 'alignment: { weight: 0.1, start: 0, end: "
                    + "0.5 }', which compares hidden states and works with any tokenizer (docs/alignment.md)."
            );
        }

        CheckRows(path, shape, tokenizer);
    }

    private static BpeTokenizer LoadTokenizer(string path, string folder, string otherwise)
    {
        string file = Path.Combine(folder, ModelFolder.TokenizerFile);
        if (File.Exists(file))
        {
            return BpeTokenizer.Load(file);
        }

        throw new DataFormatException(
            $"teacher.path = {path}: {folder} has no {ModelFolder.TokenizerFile}, so {otherwise}. Put it there."
        );
    }

    // More rows than ids are padding, which gets no probability anywhere.
    private static void CheckRows(string path, TransformerConfig shape, BpeTokenizer tokenizer)
    {
        if (shape.VocabSize < tokenizer.VocabularySize)
        {
            throw new ConfigurationException(
                $"teacher.path = {path} has {shape.VocabSize} rows in its vocabulary, "
                    + $"fewer than the {tokenizer.VocabularySize} ids of its tokenizer, "
                    + "so they do not belong together."
            );
        }
    }

    private static string? RunOf(string path, string folder) =>
        new[] { path, Path.Combine(folder, "..", "..") }.FirstOrDefault(at =>
            File.Exists(Path.Combine(at, RunLayout.Recipe))
        );

    private static string? ObjectiveWarning(string path, string? run, ObjectiveConfig? objective)
    {
        string wanted = objective?.Description ?? ObjectiveConfig.CausalDescription;
        string? recipe = run is null ? null : Path.Combine(run, RunLayout.Recipe);

        // Of a fine-tuned teacher nothing is known: its own recipe does not say what it was trained on before.
        string? trained =
            recipe is null || RunConfig.IsOfFineTuning(recipe)
                ? null
                : RecipeReader.Read<RunConfig>(recipe, []).Objective?.Description ?? ObjectiveConfig.CausalDescription;
        if (trained is null || trained == wanted)
        {
            return null;
        }

        return $"teacher.path = {path} was trained on the objective '{trained}', but teaches '{wanted}': "
            + "its soft labels are poor where it never learned the task.";
    }

    // What the teacher's own run says: its cost up to this very checkpoint, and its final loss where this is the final one.
    private static RunTeacher Describe(TeacherConfig teacher, string folder, ConfigReading reading)
    {
        string teacherPath = teacher.Path!;
        string? run = RunOf(teacherPath, folder);
        TrainState? state = File.Exists(Path.Combine(folder, Checkpoint.StateFile))
            ? Checkpoint.LoadState(folder)
            : null;
        IReadOnlyList<RunAncestor> history = Lineage.Of(teacherPath, folder, teacher.TrainedTokens, reading.Ignored);
        string? file = run is null ? null : Path.Combine(run, RunLayout.Result);
        RunResult? result = file is not null && File.Exists(file) ? RunResult.Read(file) : null;
        return new RunTeacher
        {
            Name =
                result?.Name
                ?? Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(run ?? teacherPath))),
            Temperature = teacher.Temperature,
            Parameters = ModelFlops.Parameters(reading.Shape),
            History = history,
            TrainingFlops = AncestorCost.Of(history).Flops,
            TrainingSeconds = AncestorCost.Of(history).Seconds,
            FinalLoss =
                state is not null && state.Step == result?.Steps && result.FineTuning is null
                    ? result.Final?.Loss
                    : null,
        };
    }
}
