using Saltern.Batches;
using Saltern.Checkpoints;
using Saltern.Configuration;
using Saltern.ModelFiles;
using Saltern.Models;
using Saltern.RunFiles;
using Saltern.Runs;
using Saltern.Shards;
using Saltern.Tokenization;

namespace Saltern.Planning;

/// <summary>What a run will need and cost, before anything is trained.</summary>
internal sealed record RunPlan
{
    /// <summary>Schema of the JSON form.</summary>
    public string Schema { get; init; } = "saltern.plan/1";

    /// <summary>Name of the recipe.</summary>
    public required string Name { get; init; }

    /// <summary>Number of the student's parameters.</summary>
    public required long StudentParameters { get; init; }

    /// <summary>Number of the teacher's; null without one.</summary>
    public required long? TeacherParameters { get; init; }

    /// <summary>Tokens of the run.</summary>
    public required long Tokens { get; init; }

    /// <summary>Arithmetic.</summary>
    public required CostPlan Cost { get; init; }

    /// <summary>Processes that the memory is reckoned for.</summary>
    public int Ranks { get; init; } = 1;

    /// <summary>Memory of one process, float32 on the CPU.</summary>
    public required MemoryPlan Memory { get; init; }

    /// <summary>Settings with which it fits into a stated memory; null where none was stated.</summary>
    public MemoryFit? Fit { get; init; }

    /// <summary>Files that the run leaves or needs.</summary>
    public required DiskPlan Disk { get; init; }

    /// <summary>Steps of the teacher's own training, as far as its run or the caller says; null for the student's.</summary>
    public required double? TeacherSteps { get; init; }

    /// <summary>The student's resolved shape.</summary>
    public required TransformerConfig Student { get; init; }

    /// <summary>The teacher's: the recipe's, or one that was asked for; null without one.</summary>
    public required TransformerConfig? Teacher { get; init; }

    /// <summary>Times that the run reads its training text; null where there is no data set yet.</summary>
    public double? Epochs { get; init; }

    /// <summary>What packing makes of the training text; null where it is one stream, or where there is no data set yet.</summary>
    public PackingCounts? Packing { get; init; }

    /// <summary>Time, energy and money; null where nothing says how fast the machine is.</summary>
    public TimePlan? Time { get; init; }

    /// <summary>Reckons a recipe.</summary>
    /// <param name="teacherPreset">Shape of a teacher that does not exist yet; null to read the one the recipe names.</param>
    /// <param name="teacherSteps">Steps of the teacher's own training; null for as many as the run's, or what its own run says.</param>
    /// <param name="ranks">Processes that train together.</param>
    /// <param name="memoryLimit">Bytes that the fullest of them may take, for <see cref="Fit"/>; null for none.</param>
    /// <exception cref="ConfigurationException">Neither data nor recipe say the vocabulary, or nothing says the teacher's shape.</exception>
    public static RunPlan Of(
        RunConfig recipe,
        string? teacherPreset,
        double? teacherSteps,
        int ranks = 1,
        long? memoryLimit = null
    )
    {
        int vocabulary = VocabularyOf(recipe);
        TransformerConfig student = recipe.Model.Resolve(vocabulary, recipe.Data.SequenceLength);
        TransformerConfig? teacher = null;
        long? teacherParameters = null;
        if (GuidanceKinds.Active(recipe) is not null || teacherPreset is not null)
        {
            teacher = TeacherShape(recipe, teacherPreset, vocabulary);
            teacherParameters = ModelFlops.Parameters(teacher);
        }

        PackingCounts? packing = PackingOf(recipe);
        CostPlan cost = CostPlan.Of(
            recipe,
            student,
            teacher,
            teacherSteps ?? StepsOfTeacher(recipe) ?? recipe.Training.Steps
        );
        TransformerConfig? inMemory =
            GuidanceKinds.Active(recipe) is not null && recipe.Teacher?.Cache is null ? teacher : null;
        long shards = ShardBytes(recipe, student);
        MemoryFit? fit = null;
        if (memoryLimit is long limit)
        {
            fit = MemoryFit.Of(recipe, student, inMemory, shards, ranks, limit);
        }

        return new RunPlan
        {
            Name = recipe.Name,
            Fit = fit,
            Student = student,
            Teacher = teacher,
            TeacherSteps = teacherSteps ?? StepsOfTeacher(recipe),
            Epochs = EpochsOf(recipe, vocabulary, packing),
            Packing = packing,
            StudentParameters = ModelFlops.Parameters(student),
            TeacherParameters = teacherParameters,
            Tokens = TokensOf(recipe, student),
            Cost = cost,
            Ranks = ranks,
            Memory = MemoryPlan.Of(recipe, student, inMemory, shards, ranks),
            Disk = DiskPlan.Of(recipe, student, cost),
        };
    }

    // Pages come in whole and with their neighbours, so a run that reads a good part of a shard soon holds all of it.
    private static long ShardBytes(RunConfig recipe, TransformerConfig student)
    {
        long read = TokensOf(recipe, student) * TokenTypes.ForVocabulary(student.VocabSize).Size();
        if (HasDataset(recipe))
        {
            return Math.Min(
                4 * read,
                new DirectoryInfo(recipe.Data.Path)
                    .EnumerateFiles("*.bin", SearchOption.AllDirectories)
                    .Sum(file => file.Length)
            );
        }

        return 0;
    }

    /// <summary>Tokens that a run reads, those that do not count included.</summary>
    internal static long TokensOf(RunConfig recipe, TransformerConfig student) =>
        recipe.PlanStages(student.VocabSize).Samples * recipe.Data.SequenceLength;

    private static PackingCounts? PackingOf(RunConfig recipe)
    {
        if (recipe.Data.Packing == PackingKind.Stream || !HasDataset(recipe))
        {
            return null;
        }

        using TokenDataset data = TokenDataset.OpenAny(recipe.Data.Path, recipe.Data.Tokenizer);
        return data
            .Domains.Where(domain => domain.Train is { TokenCount: > 0 })
            .Select(domain => new DocumentPacker(domain.Train!, recipe.Data.SequenceLength).Counts)
            .Aggregate((a, b) => a + b);
    }

    private static double? EpochsOf(RunConfig recipe, int vocabulary, PackingCounts? packing)
    {
        if (!HasDataset(recipe))
        {
            return null;
        }

        if (packing is not null)
        {
            return (double)recipe.PlanStages(vocabulary).Samples / packing.Sequences;
        }

        long tokens = DatasetManifest.Load(recipe.Data.Path).Domains.Sum(domain => domain.Train?.Tokens ?? 0);
        return (double)TokensOf(recipe, recipe.Model.Resolve(vocabulary, recipe.Data.SequenceLength)) / tokens;
    }

    private static bool HasDataset(RunConfig recipe) =>
        File.Exists(Path.Combine(recipe.Data.Path, DatasetManifest.FileName));

    private static int VocabularyOf(RunConfig recipe)
    {
        string? tokenizer = recipe.Data.Tokenizer;
        if (tokenizer is null && HasDataset(recipe))
        {
            tokenizer = Path.Combine(recipe.Data.Path, ModelFolder.TokenizerFile);
        }

        if (tokenizer is not null && File.Exists(tokenizer))
        {
            return BpeTokenizer.Load(tokenizer).VocabularySize;
        }

        if (recipe.Model.VocabSize > 0)
        {
            return recipe.Model.VocabSize;
        }

        throw new ConfigurationException(
            $"There is no data set at data.path = {recipe.Data.Path} yet, so nothing says how large the "
                + "vocabulary is. Give it by --set model.vocab_size=N."
        );
    }

    private static TransformerConfig TeacherShape(RunConfig recipe, string? preset, int vocabulary)
    {
        if (preset is not null)
        {
            return ModelPresets.Get(preset).Resolve(vocabulary, recipe.Data.SequenceLength);
        }

        if (recipe.Teacher?.Path is string path && Directory.Exists(path))
        {
            return ModelFolder.LoadConfig(ModelLocation.Resolve(path), recipe.Teacher.IgnoreKeys);
        }

        throw new ConfigurationException(
            $"teacher.path = {recipe.Teacher?.Path ?? "(a cache)"} is not there, so nothing says how large the "
                + $"teacher is. Name its shape by --teacher PRESET ({string.Join(", ", ModelPresets.Names)})."
        );
    }

    private static int? StepsOfTeacher(RunConfig recipe)
    {
        if (recipe.Teacher?.Path is not string path)
        {
            return null;
        }

        string own = Path.Combine(path, RunLayout.Recipe);
        if (!File.Exists(own) || RunConfig.IsOfFineTuning(own))
        {
            return null; // what a fine-tuned model cost before that, its recipe does not say
        }

        return RecipeReader.Read<RunConfig>(own, []).Training.Steps;
    }
}

/// <summary>Files of a run, bytes.</summary>
/// <param name="Checkpoints">The newest two and those that are kept: weights and optimizer state.</param>
/// <param name="TokensRead">Token shards that its samples are read from, two or four bytes a token, at most once each.</param>
/// <param name="Cache">Soft labels of stage 1 on disk; 0 where the teacher runs live.</param>
internal sealed record DiskPlan(long Checkpoints, long TokensRead, long Cache)
{
    internal static DiskPlan Of(RunConfig recipe, TransformerConfig student, CostPlan cost)
    {
        TrainingConfig training = recipe.Training;
        long batchTokens = recipe.BatchTokens;
        long parameters = ModelFlops.Parameters(student);
        long kept =
            Math.Min(2, ((training.Steps - 1) / training.CheckpointEvery) + 1)
            + (training.KeepSteps?.Count ?? 0)
            // The small models are smaller: an upper bound.
            + cost.SmallStages.Count(stage => stage.Grows)
            + (training.Steps / training.KeepEvery ?? 0);
        long cache = 0;
        if (recipe.Teacher?.Cache is not null)
        {
            int record = TeachRun.DefaultBytesPerPosition(TokenTypes.NarrowestFor(student.VocabSize).Size());
            cache = cost.TaughtSteps * batchTokens * record;
        }

        return new DiskPlan(
            kept * ((sizeof(float) * parameters) + MemoryPlan.OptimizerBytes(recipe.Optimizer, student)),
            RunPlan.TokensOf(recipe, student) * TokenTypes.ForVocabulary(student.VocabSize).Size(),
            cache
        );
    }
}
