// What the update rules have in common: which weights, which gradient norm, clipping, and state that a checkpoint can keep.
using System.Diagnostics;
using Saltern.Distributed;
using Saltern.Models;
using Saltern.Numerics;
using static TorchSharp.torch;

namespace Saltern.Optimization;

/// <summary>Turns a gradient into a change of the weights; owns what it has to remember between updates.</summary>
/// <remarks>Made by <see cref="Create"/> from a recipe. Gradients are read, never changed: clipping is folded into the update.</remarks>
internal abstract class Optimizer : IDisposable
{
    private protected Optimizer(ParameterSet parameters, OptimizerConfig config, int threads)
    {
        (Parameters, Config) = (parameters, config);
        Workers = new ParallelOptions { MaxDegreeOfParallelism = threads };
    }

    /// <summary>Updates made; a resumed run sets it.</summary>
    public long UpdateCount { get; set; }

    /// <summary>All that this process remembers between updates besides <see cref="UpdateCount"/>, in a fixed order; owned by this optimizer.</summary>
    public abstract IReadOnlyList<OptimizerTensor> State { get; }

    /// <summary>The whole state as a checkpoint names it, to be filled from one.</summary>
    public virtual IReadOnlyList<StateSlot> Slots => [.. State.Select(tensor => tensor.Slot)];

    /// <summary>Weights and gradients; owned by the model.</summary>
    private protected ParameterSet Parameters { get; }

    /// <summary>The recipe's section.</summary>
    private protected OptimizerConfig Config { get; }

    /// <summary>Every named weight, in order, with what AdamW would do to it.</summary>
    private protected IEnumerable<(ParameterSlice Slice, AdamWGroup Group)> Groups =>
        Parameters.Layout.Blocks.SelectMany(block =>
            block.Slices.Select(slice => (slice, AdamWGroup.Of(Config, slice.Name, block.Decays)))
        );

    /// <summary>How many threads our own kernels may use.</summary>
    private protected ParallelOptions Workers { get; }

    /// <summary>Makes the optimizer that a recipe asks for, with its state zero.</summary>
    /// <param name="parameters">Weights of a trainable model.</param>
    /// <param name="config">Validated section of the recipe.</param>
    /// <param name="threads">Threads for our own kernels.</param>
    /// <param name="ranks">Who shares the state where the recipe says so; null for one process.</param>
    /// <param name="productType">Type of the run's products, which those of Polar Express have too.</param>
    /// <param name="seed">The run's, for state that is rounded.</param>
    /// <exception cref="ConfigurationException">The kind does not work on weights of this type or device.</exception>
    public static Optimizer Create(
        ParameterSet parameters,
        OptimizerConfig config,
        int threads,
        ICommunicator? ranks = null,
        ScalarType productType = ScalarType.Float32,
        long seed = 1
    )
    {
        if (OwnKernels.Cover(parameters.Type, parameters.Device.type))
        {
            return CreateFused(parameters, config, threads, ranks, productType, seed);
        }

        ScalarType type = parameters.Type;
        string found = $"float32 weights on the CPU only, and these are {type} on {parameters.Device.type}";
        if (config.Gradients == OptimizerGradients.Released)
        {
            throw new ConfigurationException(
                $"optimizer.gradients = released is for {found}. Remove the key, or train on the CPU."
            );
        }

        if (config.State != OptimizerStateType.Full)
        {
            throw new ConfigurationException(
                $"optimizer.state packs the state of {found}. Remove the key, or train on the CPU."
            );
        }

        switch (config.Kind)
        {
            case OptimizerKind.Adamw or OptimizerKind.Muon when config.ShardState && ranks is { Size: > 1 }:
                throw new ConfigurationException(
                    $"optimizer.shard_state shares out the state of {found}. Remove the key."
                );
            case OptimizerKind.Adamw:
                return new PlainAdamW(parameters, config, threads);
            case OptimizerKind.Muon when type == ScalarType.Float32:
                return new PlainMuon(parameters, config, threads, productType);
            default:
                throw new ConfigurationException(
                    $"optimizer.kind: {OptimizerConfig.Name(config.Kind)} updates {found}. Use 'kind: adamw'."
                );
        }
    }

    // Those with own kernels.
    private static Optimizer CreateFused(
        ParameterSet parameters,
        OptimizerConfig config,
        int threads,
        ICommunicator? ranks,
        ScalarType productType,
        long seed
    )
    {
        bool isByLayer =
            config.Gradients == OptimizerGradients.Released || (config.ShardGradients && ranks is { Size: > 1 });
        if (config.State != OptimizerStateType.Full || parameters.IsPacked || isByLayer)
        {
            ICommunicator? sharing = config.ShardState && ranks is { Size: > 1 } ? ranks : null;
            return new CompactOptimizer(parameters, config, threads, sharing, productType, seed);
        }

        switch (config.Kind)
        {
            case OptimizerKind.Adamw when config.ShardState && ranks is { Size: > 1 }:
                return new ShardedAdamW(parameters, config, threads, ranks);
            case OptimizerKind.Adamw:
                return new AdamW(parameters, config, threads);
            case OptimizerKind.Muon when config.ShardState && ranks is { Size: > 1 }:
                return new ShardedMuon(parameters, config, threads, ranks, productType);
            case OptimizerKind.Muon:
                return new Muon(parameters, config, threads, productType);
            case OptimizerKind.Adafactor:
                return new Adafactor(parameters, config, threads);
            default:
                throw new UnreachableException($"{config.Kind} is no kind of optimizer that can be made.");
        }
    }

    /// <summary>Adds up the gradients of all ranks, wherever this process needs the sums.</summary>
    /// <param name="ranks">The ranks, each with a gradient of its own samples.</param>
    public virtual void SumGradients(ICommunicator ranks) =>
        GradientReduction.SumOverRanks(Parameters.FlatGradients, ranks);

    /// <summary>‖g‖₂ over all parameters, before clipping; for float32 on the CPU the same bits for any number of threads.</summary>
    public virtual double GradientNorm() =>
        Math.Sqrt(FlatSums.SquareSum(Parameters.FlatGradients, Parameters.Layout, Workers));

    /// <summary>Whether every weight is a number.</summary>
    public virtual bool WeightsAreFinite() =>
        double.IsFinite(FlatSums.SquareSum(Parameters.FlatWeights, Parameters.Layout, Workers));

    /// <summary>One update of every weight, with what the recipe says of decay and momentum.</summary>
    /// <param name="gradientNorm">‖g‖₂ as <see cref="GradientNorm"/> found it.</param>
    public void Update(double learningRate, double gradientNorm) => Update(new UpdateStep(learningRate, gradientNorm));

    /// <summary>One update of every weight.</summary>
    public void Update(UpdateStep step)
    {
        UpdateCount++;
        double clip = 1.0;
        if (Config.MaxGradientNorm > 0 && step.GradientNorm > Config.MaxGradientNorm)
        {
            clip = Config.MaxGradientNorm / step.GradientNorm;
        }

        Apply(step with { Clip = clip, UpdateCount = UpdateCount });
    }

    /// <summary>Begins an update that is made layer by layer, by <see cref="UpdateLayer"/>.</summary>
    public void BeginLayers() => UpdateCount++;

    /// <summary>One update of the weights of a layer, or of all that are in none, from gradients that are then zero and given back.</summary>
    /// <param name="step">Nothing is clipped.</param>
    /// <param name="layer">Its number, from 0; <see cref="NoLayer"/> for embedding, head, last norm and positions.</param>
    /// <returns>Σ g² of these weights. Where it is no number nothing was updated.</returns>
    public virtual double UpdateLayer(UpdateStep step, int layer) =>
        throw new NotSupportedException("This optimizer needs all gradients at once.");

    /// <summary>Sums the gradients of a layer, or of all weights that are in none, over the ranks and keeps this rank's share alone; all ranks must come here together, layer by layer.</summary>
    /// <param name="layer">As for <see cref="UpdateLayer"/>.</param>
    public virtual void ReduceLayer(int layer) =>
        throw new NotSupportedException("This optimizer keeps all gradients.");

    /// <summary>What stands for the weights of no layer.</summary>
    public const int NoLayer = -1;

    /// <summary>Puts the whole state together where ranks keep parts of it; all ranks must come here together.</summary>
    /// <param name="keep">Whether this rank is to have it; the others only give.</param>
    /// <returns>The state, owned by the caller; null where this rank does not keep it, or where <see cref="State"/> is all of it.</returns>
    public virtual GatheredState? Gather(bool keep) => null;

    /// <summary>Gives the state back to the system.</summary>
    public abstract void Dispose();

    /// <summary>The update rule itself.</summary>
    /// <param name="step">With its clip, and with this update counted.</param>
    private protected abstract void Apply(UpdateStep step);
}
