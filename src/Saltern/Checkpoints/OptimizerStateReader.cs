using Saltern.ModelFiles;
using Saltern.Optimization;

namespace Saltern.Checkpoints;

/// <summary>Fills an optimizer from <c>optimizer.safetensors</c>, all of it or nothing.</summary>
internal static class OptimizerStateReader
{
    // What only one kind's state has; AdamW's names appear in the others' too, so it is what is left.
    private static readonly (string Prefix, OptimizerKind Kind)[] Signs =
    [
        (OptimizerTensor.Momentum, OptimizerKind.Muon),
        (OptimizerTensor.Row, OptimizerKind.Adafactor),
    ];

    /// <summary>Reads the whole state.</summary>
    /// <exception cref="CheckpointException">The file holds another kind's state, or does not fit the model.</exception>
    public static void Read(string path, Optimizer optimizer)
    {
        IReadOnlyList<SafeTensorsEntry> entries = SafeTensorsFile.ReadHeader(path);
        OptimizerKind found = KindOf(entries.Select(entry => entry.Name));
        OptimizerKind expected = KindOf(optimizer.Slots.Select(slot => slot.Name));
        if (found != expected)
        {
            throw new CheckpointException(
                $"{path} holds the state of 'optimizer.kind: {OptimizerConfig.Name(found)}', "
                    + $"but the recipe says '{OptimizerConfig.Name(expected)}'. "
                    + $"Go on with '{OptimizerConfig.Name(found)}', or start a new run."
            );
        }

        Fill(path, entries, optimizer.Slots);
    }

    /// <summary>Reads tensors by name: all that the file has, and all that are asked for.</summary>
    /// <exception cref="CheckpointException">One is missing, superfluous or of another shape or type.</exception>
    public static void Fill(string path, IReadOnlyList<SafeTensorsEntry> entries, IReadOnlyList<StateSlot> slots)
    {
        Dictionary<string, SafeTensorsEntry> byName = entries.ToDictionary(entry => entry.Name);
        foreach (StateSlot slot in slots)
        {
            if (
                !byName.TryGetValue(slot.Name, out SafeTensorsEntry? entry)
                || entry.Type != StateTypes.NameOf(slot.Type)
                || !entry.Shape.AsSpan().SequenceEqual(slot.Shape)
            )
            {
                string there = entry is null ? "is missing" : $"is {entry.Type} [{string.Join(", ", entry.Shape)}]";
                string expected = $"{StateTypes.NameOf(slot.Type)} [{string.Join(", ", slot.Shape)}]";
                string advice =
                    entry is not null && entry.Type != StateTypes.NameOf(slot.Type)
                        ? " Another optimizer.state wrote it; go on with that one, or start a new run."
                        : "";
                throw new CheckpointException($"{path}: '{slot.Name}' {there}, expected {expected}.{advice}");
            }
        }

        if (byName.Keys.Except(slots.Select(slot => slot.Name)).FirstOrDefault() is string extra)
        {
            throw new CheckpointException(
                $"{path}: '{extra}' belongs to nothing that the recipe's optimizer keeps. Go on with the recipe that wrote it."
            );
        }

        foreach (StateSlot slot in slots)
        {
            slot.Fill(bytes => SafeTensorsFile.ReadBytes(path, byName[slot.Name], bytes));
        }
    }

    private static OptimizerKind KindOf(IEnumerable<string> names) =>
        Signs
            .Where(sign => names.Any(name => name.StartsWith(sign.Prefix, StringComparison.Ordinal)))
            .Select(sign => sign.Kind)
            .FirstOrDefault(OptimizerKind.Adamw);
}
