using System.Runtime.InteropServices;
using Saltern.Checkpoints;
using Saltern.ModelFiles;
using Saltern.Optimization;
using static TorchSharp.torch;

namespace Saltern.Growth;

/// <summary>The whole state of an optimizer by name, copied: what growth takes a larger model's state from.</summary>
internal sealed class StateTensors : IDisposable
{
    private readonly Dictionary<string, Tensor> _byName;

    private StateTensors(Dictionary<string, Tensor> byName, long updates) => (_byName, Updates) = (byName, updates);

    /// <summary>Updates made.</summary>
    public long Updates { get; }

    /// <summary>A tensor by its name in a checkpoint, float32 on the CPU; owned by this object.</summary>
    public Tensor this[string name] => _byName[name];

    /// <summary>Names of all tensors.</summary>
    public IEnumerable<string> Names => _byName.Keys;

    /// <summary>Whether there is a tensor of that name.</summary>
    public bool Has(string name) => _byName.ContainsKey(name);

    /// <summary>Gives the state to an optimizer.</summary>
    /// <exception cref="CheckpointException">It is another kind's, or does not fit.</exception>
    public void GiveTo(Optimizer optimizer)
    {
        foreach (StateSlot slot in optimizer.Slots)
        {
            if (!_byName.TryGetValue(slot.Name, out Tensor? values) || !values.shape.SequenceEqual(slot.Shape))
            {
                throw new CheckpointException(
                    $"The optimizer's state has no '{slot.Name}' of shape [{string.Join(", ", slot.Shape)}], which the recipe's optimizer "
                        + $"needs. It has {string.Join(", ", Names.Take(3))}, … Take the optimizer that wrote it, or 'optimizer: fresh'."
                );
            }

            slot.Fill(bytes => values.bytes.CopyTo(bytes));
        }

        optimizer.UpdateCount = Updates;
    }

    /// <summary>Reads the state that lies beside a checkpoint's weights.</summary>
    /// <exception cref="CheckpointException">There is none.</exception>
    public static StateTensors Read(string folder)
    {
        string path = Path.Combine(folder, Checkpoint.OptimizerFile);
        if (!File.Exists(path))
        {
            throw new CheckpointException(
                $"{folder} has no {Checkpoint.OptimizerFile}: it is no checkpoint of a run, so there is no optimizer's state to take over. "
                    + "Take a run, or 'optimizer: fresh'."
            );
        }

        var tensors = new Dictionary<string, Tensor>();
        foreach (SafeTensorsEntry entry in SafeTensorsFile.ReadHeader(path))
        {
            if (entry.Type != StateTypes.NameOf(ScalarType.Float32))
            {
                throw new CheckpointException(
                    $"{path}: '{entry.Name}' is {entry.Type}: growth takes over float32 state alone, and this was written with "
                        + "another optimizer.state. Take 'optimizer: fresh'."
                );
            }

            byte[] bytes = new byte[entry.Shape.Aggregate(1L, (product, size) => product * size) * sizeof(float)];
            SafeTensorsFile.ReadBytes(path, entry, bytes);
            tensors[entry.Name] = Copy(entry.Shape, bytes);
        }

        return new StateTensors(tensors, Checkpoint.LoadState(folder).Updates);
    }

    /// <summary>Copies an optimizer's state.</summary>
    /// <param name="gathered">The state put together from the ranks; null where the optimizer has all of it.</param>
    public static StateTensors Of(Optimizer optimizer, GatheredState? gathered)
    {
        var tensors = new Dictionary<string, Tensor>();
        if (gathered is null)
        {
            foreach (OptimizerTensor tensor in optimizer.State)
            {
                tensors[tensor.Name] = Copy(tensor.Shape, tensor.ToBytes());
            }
        }
        else
        {
            foreach (StateBytes tensor in gathered.Tensors)
            {
                tensors[tensor.Name] = Copy(tensor.Shape, tensor.Bytes().Span);
            }
        }

        return new StateTensors(tensors, optimizer.UpdateCount);
    }

    /// <summary>Takes over tensors.</summary>
    public static StateTensors Of(Dictionary<string, Tensor> byName, long updates) => new(byName, updates);

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (Tensor tensor in _byName.Values)
        {
            tensor.Dispose();
        }
    }

    private static Tensor Copy(long[] shape, ReadOnlySpan<byte> bytes) =>
        tensor(MemoryMarshal.Cast<byte, float>(bytes).ToArray(), shape, ScalarType.Float32).DetachFromDisposeScope();
}
