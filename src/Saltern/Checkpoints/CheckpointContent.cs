using Saltern.ModelFiles;
using Saltern.Models;
using Saltern.Numerics;
using Saltern.Optimization;
using TorchSharp;

namespace Saltern.Checkpoints;

/// <summary>What a checkpoint is written from: either the run's own memory, or a copy of it that a background thread may read while training goes on.</summary>
internal sealed unsafe class CheckpointContent : IDisposable
{
    private readonly MappedMemory? _copy;
    private readonly GatheredState? _gathered;

    private CheckpointContent(
        Transformer model,
        Optimizer optimizer,
        TrainState state,
        StageTensors? stage,
        GatheredState? gathered,
        torch.Tensor? average,
        bool copies
    )
    {
        (Config, Updates, State, _gathered) = (model.Config, optimizer.UpdateCount, state, gathered);
        StageFile = stage?.File ?? "";
        if (!copies)
        {
            Weights = ModelFolder.Tensors(model);
            Adapters = [.. AdaptersOf(model).Select(tensor => tensor.Bytes)];
            OptimizerTensors = gathered?.Tensors ?? [.. optimizer.State.Select(tensor => tensor.Bytes)];
            StageTensors = [.. (stage?.Tensors ?? []).Select(tensor => tensor.Bytes)];
            AverageWeights = average is null ? [] : ModelFolder.Tensors(model, average);
            return;
        }

        IReadOnlyList<StoredTensor> tensors = StoredWeights.Of(model.Config, model.Parameters.Layout);
        IReadOnlyList<OptimizerTensor> beside = stage?.Tensors ?? [];
        IReadOnlyList<OptimizerTensor> own = gathered is null ? optimizer.State : [];
        IReadOnlyList<OptimizerTensor> adapters = AdaptersOf(model);
        var copy = new MappedMemory(
            (tensors.Sum(tensor => tensor.Count) * (average is null ? 1 : 2))
                + own.Concat(beside).Concat(adapters).Sum(Floats)
        );
        _copy = copy;
        long at = 0;
        Weights =
        [
            .. tensors.Select(tensor =>
            {
                // Arranged here, on the thread that owns the tensors: the writer has memory alone.
                using torch.Tensor weight = ModelFolder.InFileOrder(model, tensor);
                return Copy(copy, tensor.Name, tensor.Shape, weight, tensor.Count, ref at);
            }),
        ];
        OptimizerTensors = gathered?.Tensors ?? [.. own.Select(tensor => Copy(copy, tensor, ref at))];
        Adapters = [.. adapters.Select(tensor => Copy(copy, tensor, ref at))];
        AverageWeights = [];
        if (average is not null)
        {
            AverageWeights =
            [
                .. tensors.Select(tensor =>
                {
                    using torch.Tensor weight = tensor.InFileOrder(average);
                    return Copy(copy, tensor.Name, tensor.Shape, weight, tensor.Count, ref at);
                }),
            ];
        }

        StageTensors = [.. beside.Select(tensor => Copy(copy, tensor, ref at))];
    }

    /// <summary>The model's shape.</summary>
    internal TransformerConfig Config { get; }

    /// <summary>Name, shape and bytes of each weight.</summary>
    internal IReadOnlyList<(string Name, long[] Shape, Func<ReadOnlyMemory<byte>> Bytes)> Weights { get; }

    /// <summary>The same of the adapters that training goes on with; empty where the weights themselves are trained. <see cref="Weights"/> have them merged in.</summary>
    internal IReadOnlyList<StateBytes> Adapters { get; }

    /// <summary>The same of the average over the last steps; empty where there is none.</summary>
    internal IReadOnlyList<(string Name, long[] Shape, Func<ReadOnlyMemory<byte>> Bytes)> AverageWeights { get; }

    /// <summary>The same of the optimizer's state.</summary>
    internal IReadOnlyList<StateBytes> OptimizerTensors { get; }

    /// <summary>File of <see cref="StageTensors"/>.</summary>
    internal string StageFile { get; }

    /// <summary>The same of what stage 1 learns besides the model; empty where it learns nothing.</summary>
    internal IReadOnlyList<StateBytes> StageTensors { get; }

    /// <summary>Updates made.</summary>
    internal long Updates { get; }

    /// <summary>Everything else.</summary>
    internal TrainState State { get; }

    /// <summary>Reads the run's memory when it is written: nothing may change until then.</summary>
    /// <param name="optimizer">Its state, and the number of updates.</param>
    /// <param name="stage">What a stage 1 that is not over learns besides the model; null for nothing.</param>
    /// <param name="gathered">The optimizer's whole state where ranks keep parts of it, taken over; null where it has all of it.</param>
    /// <param name="average">The average over the last steps, laid out as the flat weights; null for none.</param>
    public static CheckpointContent Of(
        Transformer model,
        Optimizer optimizer,
        TrainState state,
        StageTensors? stage = null,
        GatheredState? gathered = null,
        torch.Tensor? average = null
    ) => new(model, optimizer, state, stage, gathered, average, copies: false);

    /// <summary>Copies weights and optimizer state now; takes as much memory as they do until it is disposed. As the other otherwise.</summary>
    public static CheckpointContent CopyOf(
        Transformer model,
        Optimizer optimizer,
        TrainState state,
        StageTensors? stage = null,
        GatheredState? gathered = null,
        torch.Tensor? average = null
    ) => new(model, optimizer, state, stage, gathered, average, copies: true);

    /// <summary>Gives a copy's memory back to the system.</summary>
    public void Dispose()
    {
        _copy?.Dispose();
        _gathered?.Dispose();
    }

    // Each A and B, by its name.
    private static IReadOnlyList<OptimizerTensor> AdaptersOf(Transformer model)
    {
        if (model.Adapters is LowRankAdapters adapters)
        {
            return [.. adapters.Named.Select(each => new OptimizerTensor(each.Name, each.Values))];
        }

        return [];
    }

    // What a tensor takes of the copy, in float32's size.
    private static long Floats(OptimizerTensor tensor) => (tensor.ByteCount + sizeof(float) - 1) / sizeof(float);

    private static StateBytes Copy(MappedMemory copy, OptimizerTensor tensor, ref long at)
    {
        using DisposeScope scope = torch.NewDisposeScope();
        using torch.Tensor here = tensor.Values.detach().cpu().contiguous();
        float* to = copy.Start + at;
        Buffer.MemoryCopy((void*)TensorAddress.Of(here), to, tensor.ByteCount, tensor.ByteCount);
        at += Floats(tensor);
        var bytes = new NativeBytes((nint)to, checked((int)tensor.ByteCount));
        return new StateBytes(tensor.Name, tensor.Shape, tensor.Values.dtype, () => bytes.Memory);
    }

    private static (string Name, long[] Shape, Func<ReadOnlyMemory<byte>> Bytes) Copy(
        MappedMemory copy,
        string name,
        long[] shape,
        torch.Tensor values,
        long count,
        ref long at
    )
    {
        using DisposeScope scope = torch.NewDisposeScope(); // each call in the chain has a handle of its own
        using torch.Tensor here = values.detach().to(torch.ScalarType.Float32).cpu().contiguous();
        float* to = copy.Start + at;
        Buffer.MemoryCopy((void*)TensorAddress.Of(here), to, count * sizeof(float), count * sizeof(float));
        at += count;
        // Written from where it lies: arrays of these bytes would be as much again, as garbage.
        var bytes = new NativeBytes((nint)to, checked((int)(count * sizeof(float))));
        return (name, shape, () => bytes.Memory);
    }
}
