using Saltern.Checkpoints;
using Saltern.Configuration;
using Saltern.Growth;
using Saltern.ModelFiles;
using Saltern.Models;
using Saltern.Optimization;
using Saltern.RunFiles;
using Saltern.Tokenization;
using TorchSharp;

namespace Saltern.Runs;

/// <summary>The model that a run starts from, found once: its run may write newer checkpoints meanwhile.</summary>
internal sealed class InitialModel
{
    private readonly InitFromConfig _from;
    private readonly string _folder;
    private readonly ConfigReading _reading;
    private readonly Lazy<IReadOnlyList<RunAncestor>> _before;

    private InitialModel(InitFromConfig from)
    {
        _from = from;
        _folder = Folder(from);
        _reading = ModelFolder.ReadConfig(_folder, from.IgnoreKeys);
        _before = new(() => Lineage.Of(from.Path, _folder, from.TrainedTokens, _reading.Ignored));
    }

    /// <summary>Finds the model; null where a run starts from fresh weights.</summary>
    /// <exception cref="CheckpointException">There is none.</exception>
    /// <exception cref="DataFormatException">Its config is damaged, or asks for something that is not computed here.</exception>
    public static InitialModel? Find(InitFromConfig? from) => from is null ? null : new InitialModel(from);

    /// <summary>Its shape.</summary>
    public TransformerConfig Shape => _reading.Shape;

    /// <summary>Says what of its config was passed over.</summary>
    public void Warn(Action<string> log)
    {
        if (_reading.Remark is string remark)
        {
            log(remark);
        }
    }

    /// <summary>The tokens at which it stops writing.</summary>
    /// <param name="tokenizer">The run's tokenizer; of a model with other token ids only the tokenizer's own end counts.</param>
    public IReadOnlyList<int> EndTokens(BpeTokenizer tokenizer)
    {
        string path = Path.Combine(_folder, ModelFolder.TokenizerFile);
        if (File.Exists(path) && BpeTokenizer.Load(path).Fingerprint == tokenizer.Fingerprint)
        {
            return ModelFiles.EndTokens.Of(_folder, tokenizer);
        }

        return [tokenizer.EndOfTextId];
    }

    /// <summary>Folder of the model.</summary>
    /// <exception cref="CheckpointException">There is none.</exception>
    public static string Folder(InitFromConfig from)
    {
        if (from.Step is not int step)
        {
            return ModelLocation.Resolve(from.Path);
        }

        var store = new CheckpointStore(from.Path);
        if (store.Steps().Contains(step))
        {
            return ModelLocation.Resolve(store.PathOf(step));
        }

        string kept = string.Join(", ", store.Steps());
        throw new CheckpointException(
            $"init_from.step = {step}: {from.Path} keeps no checkpoint of that step"
                + (kept.Length > 0 ? $", but of {kept}." : ".")
        );
    }

    /// <summary>History of the weights that a run starts from.</summary>
    /// <param name="model">The run's first model.</param>
    public IReadOnlyList<RunAncestor> History(TransformerConfig model)
    {
        if (_from.Grow is not GrowthConfig grow)
        {
            return _before.Value;
        }

        return [.. _before.Value, GrowthEntry(Shape, model, grow)];
    }

    /// <summary>What a growth adds to a history: no cost, but how.</summary>
    public static RunAncestor GrowthEntry(TransformerConfig small, TransformerConfig large, GrowthConfig grow) =>
        new()
        {
            Name = "growth",
            Operation =
                $"{RunAncestor.Grown} by {grow.Operator.ToString().ToLowerInvariant()} "
                + $"from {small.NumHiddenLayers} layers of {small.HiddenSize} "
                + $"to {large.NumHiddenLayers} of {large.HiddenSize}",
            Parameters = ModelFlops.Parameters(large),
            Flops = 0,
            Seconds = 0,
        };

    /// <summary>Refuses soft labels of the weights that the student starts from.</summary>
    /// <exception cref="ConfigurationException">The teacher is among the first weights' history.</exception>
    public void RefuseOwnLabels(RunConfig config, TeacherParts teacher)
    {
        if (config.Distillation is not { FromOwnOrigin: false, Weight: > 0 })
        {
            return;
        }

        if (
            _before.Value.FirstOrDefault(each => !each.AsTeacher && each.Weights == teacher.Weights) is RunAncestor same
        )
        {
            throw new ConfigurationException(
                $"The teacher ({config.Teacher?.Path ?? config.Teacher?.Cache}) has the weights of '{same.Name}', "
                    + "out of which the student comes (init_from). "
                    + "The student is this teacher already, and its labels made it end 0.03 to 0.045 nats worse when that was tried "
                    + "(docs/growth.md). Take a better teacher, such as the small model trained on to its end, or remove the section "
                    + "distillation. If you mean it, set distillation.from_own_origin: true."
            );
        }
    }

    /// <summary>Checks that the model has the shape that a run starts with, or grows into it.</summary>
    /// <exception cref="ConfigurationException">It does not.</exception>
    public void Check(TransformerConfig model)
    {
        TransformerConfig given = Shape;
        if (_from.Grow is GrowthConfig grow)
        {
            var map = GrowthMap.Of(given, model, grow.Operator, $"init_from.grow ({_from.Path})");
            if (map.KeepsAll)
            {
                throw new ConfigurationException(
                    $"init_from.grow: {_from.Path} has the shape of the section model already, so nothing would grow. Remove grow."
                );
            }

            return;
        }

        // Rotary positions have no weights: their number may be another.
        int positions = model.NeedsPositions ? model.MaxPositionEmbeddings : given.MaxPositionEmbeddings;
        TransformerConfig wanted = model with
        {
            MaxPositionEmbeddings = positions,
            InitializerRange = 0,
            Preset = null,
        };
        if (given with { InitializerRange = 0 } != wanted)
        {
            throw new ConfigurationException(
                $"init_from = {_from.Path} has another shape than the section model: {given} against {model}. "
                    + "If it is to grow into that, say how: init_from: { path: …, grow: { operator: stack } } (docs/growth.md)."
            );
        }
    }

    /// <summary>Gives a run's first optimizer the state that the recipe takes over.</summary>
    /// <param name="model">The run's first model.</param>
    /// <exception cref="CheckpointException">There is no state, or it does not fit.</exception>
    public void FillState(Optimizer optimizer, Transformer model)
    {
        if (_from.Optimizer == OptimizerTransfer.Fresh)
        {
            return;
        }

        using StateTensors state = StateTensors.Read(_folder);
        if (_from.Grow is not GrowthConfig grow)
        {
            state.GiveTo(optimizer);
            return;
        }

        GrowthMap map = GrowthMap.Of(Shape, model.Config, grow.Operator, "init_from.grow");
        using StateTensors grown = ModelGrowth.GrowState(state, model.Parameters.Layout, map, _from.Optimizer);
        grown.GiveTo(optimizer);
    }

    /// <summary>Where the samples of a run go on: the state of the checkpoint that it continues; null where they begin.</summary>
    /// <exception cref="ConfigurationException">The samples before were others, so that they cannot be gone on with.</exception>
    public TrainState? ContinuedData(RunConfig config, string dataFingerprint)
    {
        if (!_from.ContinueData)
        {
            return null;
        }

        string recipe = Path.GetFullPath(Path.Combine(_folder, "..", "..", RunLayout.Recipe));
        if (!File.Exists(Path.Combine(_folder, Checkpoint.StateFile)) || !File.Exists(recipe))
        {
            throw new ConfigurationException(
                $"init_from.continue_data: {_from.Path} is no run, so nothing says which samples it read. Remove the key."
            );
        }

        TrainState state = Checkpoint.LoadState(_folder);
        RunConfig before = RecipeReader.Read<RunConfig>(recipe, []);
        string[] differences =
        [
            .. RecipeDiff
                .Compare(Samples(before), Samples(config))
                .Select(change =>
                    $"{change.Path} was {change.Before ?? "not given"} and is {change.After ?? "not given"}"
                ),
            .. state.DataFingerprint == dataFingerprint ? Array.Empty<string>() : ["the data set is another"],
            .. config.Data.Mixture?.MaxEpochs is null
                ? Array.Empty<string>()
                : ["data.mixture.max_epochs makes the order depend on the length of the run"],
        ];
        if (differences.Length > 0)
        {
            throw new ConfigurationException(
                $"init_from.continue_data: the samples of {_from.Path} cannot be gone on with: {string.Join("; ", differences)}. "
                    + "Take the same, or remove the key."
            );
        }

        return state;
    }

    // What decides which sample comes when, and nothing else.
    private static RunConfig Samples(RunConfig config) =>
        new()
        {
            Name = "samples",
            Seed = config.Seed,
            Data = config.Data with { Path = "data" },
            Objective = config.Objective,
            Model = new TransformerConfig(),
            Training = new TrainingConfig { Steps = 1 },
        };

    /// <summary>Fills a run's first model.</summary>
    /// <param name="seed">Of the noise of a growth.</param>
    /// <exception cref="DataFormatException">Its weights are damaged or not finite; the message says that they are those of init_from.</exception>
    public void Fill(Transformer student, int seed, IProgress<WeightProgress>? loading)
    {
        try
        {
            FillFrom(student, seed, loading);
        }
        catch (DataFormatException problem)
        {
            throw new DataFormatException($"init_from = {_from.Path} cannot be used. {problem.Message}", problem);
        }
    }

    private void FillFrom(Transformer student, int seed, IProgress<WeightProgress>? loading)
    {
        if (_from.Grow is not GrowthConfig grow)
        {
            ModelFolder.LoadWeights(_folder, student, loading);
            return;
        }

        using Transformer small = ModelFolder.Load(
            _folder,
            Shape,
            trainable: false,
            loading,
            student.Parameters.Device,
            torch.ScalarType.Float32
        );
        GrowthMap map = GrowthMap.Of(small.Config, student.Config, grow.Operator, "init_from.grow");
        ModelGrowth.Fill(small, student, map, grow.Noise, ModelGrowth.NoiseSeed(seed, 1));
    }
}
