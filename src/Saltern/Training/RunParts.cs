using System.Security.Cryptography;
using Saltern.Checkpoints;
using Saltern.Configuration;
using Saltern.Data;
using Saltern.Engine;
using Saltern.Models;
using Saltern.Reporting;
using Saltern.Teachers;
using Saltern.Tokenization;

namespace Saltern.Training;

/// <summary>Opens everything that a recipe names and checks that it fits together, before any training.</summary>
public sealed class RunParts : IDisposable
{
    private RunParts(TokenDataset data, BpeTokenizer tokenizer, TransformerConfig model, string? teacherFolder, RunTeacher? teacherRecord)
    {
        (Data, Tokenizer, Model, TeacherFolder, TeacherRecord) = (data, tokenizer, model, teacherFolder, teacherRecord);
    }

    /// <summary>The data set.</summary>
    public TokenDataset Data { get; }

    /// <summary>Its tokenizer.</summary>
    public BpeTokenizer Tokenizer { get; }

    /// <summary>The student's resolved shape.</summary>
    public TransformerConfig Model { get; }

    /// <summary>Model folder of the teacher; null for none.</summary>
    public string? TeacherFolder { get; }

    /// <summary>What is known of the teacher and its own training; null for none.</summary>
    public RunTeacher? TeacherRecord { get; }

    /// <summary>Opens data set and tokenizer, and looks at the teacher.</summary>
    /// <exception cref="ConfigurationException">Something does not fit; every problem is listed.</exception>
    public static RunParts Open(RunConfig config)
    {
        var problems = new List<string>();
        TokenDataset? data = null;
        BpeTokenizer? tokenizer = null;
        string? teacherFolder = null;
        RunTeacher? teacherRecord = null;
        Collect(problems, () =>
        {
            data = TokenDataset.Open(config.Data.Path, verify: true);
            tokenizer = BpeTokenizer.Load(data.TokenizerPath);
            if (tokenizer.Fingerprint != data.Manifest.TokenizerFingerprint)
            {
                throw new DataFormatException($"{data.TokenizerPath} has the fingerprint {tokenizer.Fingerprint}, but the data set was made with {data.Manifest.TokenizerFingerprint}. Prepare the data set again.");
            }
        });
        if (config.Teacher is not null)
        {
            Collect(problems, () =>
            {
                teacherFolder = ModelLocation.Resolve(config.Teacher.Path);
                TransformerConfig teacher = ModelFolder.LoadConfig(teacherFolder);
                teacherRecord = Describe(config.Teacher, teacherFolder, teacher);
                CheckTeacher(config.Teacher.Path, teacherFolder, teacher, tokenizer);
            });
        }

        if (config.Device == ComputeDevice.Cuda)
        {
            problems.Add("device = cuda is not built yet: this version computes on the CPU alone. Use device: cpu.");
        }

        TransformerConfig model = config.Model.Resolve(tokenizer?.VocabularySize ?? 1, config.Data.SequenceLength);
        if (tokenizer is not null)
        {
            CheckModel(config, model, tokenizer, problems);
        }

        if (config.Distillation?.GateDomains is { } factors && data is not null)
        {
            string[] known = [.. data.Domains.Select(domain => domain.Name)];
            problems.AddRange(factors.Keys.Except(known).Select(name => $"distillation.gate_domains: the data set has no domain '{name}'. It has {string.Join(", ", known)}."));
        }

        if (problems.Count > 0)
        {
            data?.Dispose();
            throw new ConfigurationException(problems);
        }

        return new RunParts(data!, tokenizer!, model, teacherFolder, teacherRecord);
    }

    /// <summary>A fresh student, or one that starts from <c>init_from</c>; the caller owns it.</summary>
    public Transformer CreateStudent(RunConfig config)
    {
        var student = new Transformer(Model, trainable: true);
        if (config.InitFrom is null)
        {
            student.Initialize(config.Seed);
        }
        else
        {
            ModelFolder.LoadWeights(ModelLocation.Resolve(config.InitFrom), student);
        }

        return student;
    }

    /// <summary>The teacher in memory; null without one. The caller owns it.</summary>
    public LiveTeacher? CreateTeacher(RunConfig config) =>
        TeacherFolder is null || !config.Distils ? null : new LiveTeacher(ModelFolder.Load(TeacherFolder, trainable: false), config.Teacher!.Temperature);

    /// <summary>Fingerprint of a model's weights.</summary>
    public static unsafe string WeightsFingerprint(Transformer model)
    {
        var weights = new ReadOnlySpan<byte>((void*)TensorAddress.Of(model.Parameters.FlatWeights), checked((int)(model.Parameters.Layout.Length * sizeof(float))));
        return "sha256:" + Convert.ToHexStringLower(SHA256.HashData(weights));
    }

    /// <inheritdoc/>
    public void Dispose() => Data.Dispose();

    private static void CheckModel(RunConfig config, TransformerConfig model, BpeTokenizer tokenizer, List<string> problems)
    {
        if (model.VocabSize < tokenizer.VocabularySize)
        {
            problems.Add($"model.vocab_size = {model.VocabSize} is smaller than the tokenizer's {tokenizer.VocabularySize} ids. Leave it out, or give at least {tokenizer.VocabularySize}.");
        }

        if (model.MaxPositionEmbeddings < config.Data.SequenceLength)
        {
            problems.Add($"model.max_position_embeddings = {model.MaxPositionEmbeddings} is shorter than data.sequence_length = {config.Data.SequenceLength}.");
        }

        if (config.InitFrom is not null)
        {
            Collect(problems, () =>
            {
                TransformerConfig given = ModelFolder.LoadConfig(ModelLocation.Resolve(config.InitFrom));
                if (given with { MaxPositionEmbeddings = 0, InitializerRange = 0 } != model with { MaxPositionEmbeddings = 0, InitializerRange = 0, Preset = null })
                {
                    throw new ConfigurationException($"init_from = {config.InitFrom} has another shape than the section model: {given} against {model}.");
                }
            });
        }
    }

    private static void CheckTeacher(string path, string folder, TransformerConfig teacher, BpeTokenizer? tokenizer)
    {
        if (tokenizer is null)
        {
            return;
        }

        string file = System.IO.Path.Combine(folder, ModelFolder.TokenizerFile);
        if (!File.Exists(file))
        {
            throw new DataFormatException($"teacher.path = {path}: {folder} has no {ModelFolder.TokenizerFile}, so it cannot be shown to use the data set's tokenizer.");
        }

        string fingerprint = BpeTokenizer.Load(file).Fingerprint;
        if (fingerprint != tokenizer.Fingerprint)
        {
            throw new ConfigurationException($"teacher.path = {path} has another tokenizer than the data set ({fingerprint} against {tokenizer.Fingerprint}). Soft labels need the same token ids: train the teacher on data of the same tokenizer.");
        }

        if (teacher.VocabSize != tokenizer.VocabularySize)
        {
            throw new ConfigurationException($"teacher.path = {path} has {teacher.VocabSize} rows in its vocabulary, the tokenizer {tokenizer.VocabularySize} ids. Teachers with a padded vocabulary are not supported yet.");
        }
    }

    // What the teacher's own run says about its cost and quality, where its folder is one.
    private static RunTeacher Describe(TeacherConfig config, string folder, TransformerConfig shape)
    {
        string? run = new[] { config.Path, System.IO.Path.Combine(folder, "..", "..") }.FirstOrDefault(path => File.Exists(System.IO.Path.Combine(path, RunFolder.ResultFile)));
        var record = new RunTeacher
        {
            Name = System.IO.Path.GetFileName(System.IO.Path.TrimEndingDirectorySeparator(System.IO.Path.GetFullPath(run ?? config.Path))),
            Temperature = config.Temperature,
            Parameters = CountParameters(shape),
        };
        if (run is null)
        {
            return record;
        }

        string file = System.IO.Path.Combine(run, RunFolder.ResultFile);
        RunResult result = RunResult.Parse(File.ReadAllText(file), file);
        return record with { Name = result.Name, TrainingFlops = result.Flops, TrainingSeconds = result.Seconds, FinalLoss = result.Final?.Loss };
    }

    private static long CountParameters(TransformerConfig c)
    {
        long norms = ((2L * c.NumHiddenLayers) + 1) * c.HiddenSize;
        long embedding = c.IsTied ? 0 : (long)c.VocabSize * c.HiddenSize;
        return ModelFlops.ProductWeights(c) + embedding + norms;
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
