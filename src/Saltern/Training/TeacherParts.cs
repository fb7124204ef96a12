using System.Security.Cryptography;
using Saltern.Checkpoints;
using Saltern.Configuration;
using Saltern.Models;
using Saltern.Reporting;
using Saltern.Tokenization;

namespace Saltern.Training;

/// <summary>A teacher on disk, checked against the data set and the run.</summary>
/// <param name="Folder">Model folder.</param>
/// <param name="Weights">Fingerprint of its weights file.</param>
/// <param name="Record">What is known of it and its own training.</param>
internal sealed record TeacherParts(string Folder, string Weights, RunTeacher Record)
{
    /// <summary>Finds and checks the teacher that a recipe names.</summary>
    /// <param name="config">Recipe with a teacher.</param>
    /// <param name="tokenizer">The data set's; null where that is not known, which is a problem of its own.</param>
    /// <param name="resumed">State that the run goes on from; null where it starts.</param>
    /// <exception cref="ConfigurationException">Tokenizer, vocabulary, length or, on resume, the weights do not fit.</exception>
    public static TeacherParts Open(RunConfig config, BpeTokenizer? tokenizer, TrainState? resumed)
    {
        string path = config.Teacher!.Path, folder = ModelLocation.Resolve(path);
        TransformerConfig shape = ModelFolder.LoadConfig(folder);
        if (tokenizer is not null)
        {
            CheckTokenizer(path, folder, shape, tokenizer);
        }

        if (shape.MaxPositionEmbeddings < config.Data.SequenceLength)
        {
            throw new ConfigurationException($"teacher.path = {path} knows {shape.MaxPositionEmbeddings} positions, but data.sequence_length = {config.Data.SequenceLength}. Train the teacher on sequences as long, or shorten them.");
        }

        string weights;
        using (FileStream file = File.OpenRead(Path.Combine(folder, ModelFolder.WeightsFile)))
        {
            weights = "sha256:" + Convert.ToHexStringLower(SHA256.HashData(file));
        }

        if (resumed is { TeacherWeights.Length: > 0 } && resumed.TeacherWeights != weights)
        {
            throw new ConfigurationException($"teacher.path = {path}: the run was taught by the weights {resumed.TeacherWeights}, but {folder} now has {weights}. Name the old checkpoint as teacher.path, or start a new run.");
        }

        return new TeacherParts(folder, weights, Describe(config, folder, shape));
    }

    private static void CheckTokenizer(string path, string folder, TransformerConfig shape, BpeTokenizer tokenizer)
    {
        string file = Path.Combine(folder, ModelFolder.TokenizerFile);
        if (!File.Exists(file))
        {
            throw new DataFormatException($"teacher.path = {path}: {folder} has no {ModelFolder.TokenizerFile}, so it cannot be shown to use the data set's tokenizer. Put it there.");
        }

        string fingerprint = BpeTokenizer.Load(file).Fingerprint;
        if (fingerprint != tokenizer.Fingerprint)
        {
            throw new ConfigurationException($"teacher.path = {path} has another tokenizer than the data set ({fingerprint} against {tokenizer.Fingerprint}). Soft labels need the same token ids: train the teacher on data of the same tokenizer.");
        }

        if (shape.VocabSize != tokenizer.VocabularySize)
        {
            throw new ConfigurationException($"teacher.path = {path} has {shape.VocabSize} rows in its vocabulary, the tokenizer {tokenizer.VocabularySize} ids. Teachers with a padded vocabulary are not supported yet.");
        }
    }

    // What the teacher's own run says: its cost up to this very checkpoint, and its final loss where this is the final one.
    private static RunTeacher Describe(RunConfig config, string folder, TransformerConfig shape)
    {
        string? run = new[] { config.Teacher!.Path, Path.Combine(folder, "..", "..") }.FirstOrDefault(path => File.Exists(Path.Combine(path, RunFolder.RecipeFile)));
        TrainState? state = File.Exists(Path.Combine(folder, Checkpoint.StateFile)) ? Checkpoint.LoadState(folder) : null;
        string? file = run is null ? null : Path.Combine(run, RunFolder.ResultFile);
        RunResult? result = file is not null && File.Exists(file) ? RunResult.Parse(File.ReadAllText(file), file) : null;
        return new RunTeacher
        {
            Name = result?.Name ?? Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(run ?? config.Teacher.Path))),
            Temperature = config.Teacher.Temperature,
            Parameters = ModelFlops.Parameters(shape),
            TrainingFlops = state?.Flops,
            TrainingSeconds = state?.Seconds,
            FinalLoss = state is not null && state.Step == result?.Steps ? result.Final?.Loss : null,
        };
    }
}
