using System.Runtime.InteropServices;
using System.Text.Json;
using Saltern.Models;
using Saltern.Optimization;
using Saltern.Training;

namespace Saltern.Checkpoints;

/// <summary>All that a run needs to go on bit for bit, all of it or none of it: a Hugging Face folder plus optimizer, trainer state and manifest.</summary>
public static class Checkpoint
{
    /// <summary>Optimizer moments, by the names of the weights.</summary>
    public const string OptimizerFile = "optimizer.safetensors";

    /// <summary>Step, data position, random state, transition.</summary>
    public const string StateFile = "trainer_state.json";

    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        WriteIndented = true,
        NumberHandling = System.Text.Json.Serialization.JsonNumberHandling.AllowNamedFloatingPointLiterals,
    };

    /// <summary>Writes a checkpoint aside, flushes it and renames it.</summary>
    /// <param name="folder">Final path.</param>
    /// <param name="model">Weights.</param>
    /// <param name="optimizer">Moments.</param>
    /// <param name="state">The rest.</param>
    /// <param name="tokenizerPath">tokenizer.json to put beside the model.</param>
    public static void Save(string folder, Transformer model, AdamW optimizer, TrainState state, string tokenizerPath) => DurableFolder.Write(folder, temporary =>
    {
        ModelFolder.Save(temporary, model);
        DurableFolder.WriteText(Path.Combine(temporary, ModelFolder.TokenizerFile), File.ReadAllText(tokenizerPath));
        List<(string, long[], Func<ReadOnlyMemory<byte>>)> moments = [];
        foreach (ParameterSlice slice in model.Parameters.Layout.Slices)
        {
            moments.Add((FirstMoment(slice), slice.Shape, () => MemoryMarshal.AsBytes(optimizer.FirstMoments(slice)).ToArray()));
            moments.Add((SecondMoment(slice), slice.Shape, () => MemoryMarshal.AsBytes(optimizer.SecondMoments(slice)).ToArray()));
        }

        SafeTensorsFile.WriteFloat32(Path.Combine(temporary, OptimizerFile), moments, new Dictionary<string, string> { ["updates"] = $"{optimizer.UpdateCount}" });
        DurableFolder.WriteText(Path.Combine(temporary, StateFile), JsonSerializer.Serialize(state, Json));
        CheckpointManifest.Write(temporary);
    });

    /// <summary>Fills model and optimizer and returns the rest.</summary>
    /// <exception cref="CheckpointException">Optimizer or state do not fit the model.</exception>
    public static TrainState Load(string folder, Transformer model, AdamW optimizer)
    {
        ModelFolder.LoadWeights(folder, model);
        string path = Path.Combine(folder, OptimizerFile);
        var entries = SafeTensorsFile.ReadHeader(path).ToDictionary(entry => entry.Name);
        foreach (ParameterSlice slice in model.Parameters.Layout.Slices)
        {
            foreach ((string name, bool first) in new[] { (FirstMoment(slice), true), (SecondMoment(slice), false) })
            {
                if (!entries.TryGetValue(name, out SafeTensorsEntry? entry) || entry.Length != slice.Count * sizeof(float))
                {
                    throw new CheckpointException($"{path}: '{name}' is missing or of the wrong size.");
                }

                SafeTensorsFile.ReadBytes(path, entry, MemoryMarshal.AsBytes(first ? optimizer.FirstMoments(slice) : optimizer.SecondMoments(slice)));
            }
        }

        TrainState state = LoadState(folder);
        optimizer.UpdateCount = state.Updates;
        return state;
    }

    /// <summary>What is wrong with a checkpoint; null where it is whole and can be gone on from.</summary>
    public static string? Problem(string folder)
    {
        string[] needed = [ModelFolder.ConfigFile, ModelFolder.WeightsFile, ModelFolder.TokenizerFile, OptimizerFile, StateFile];
        if (CheckpointManifest.Problem(folder) is string problem)
        {
            return problem;
        }

        if (needed.FirstOrDefault(name => !File.Exists(Path.Combine(folder, name))) is string missing)
        {
            return $"{missing} is missing";
        }

        try
        {
            LoadState(folder);
            return null;
        }
        catch (CheckpointException e)
        {
            return e.Message;
        }
    }

    /// <summary>Reads the trainer state alone.</summary>
    /// <exception cref="CheckpointException">It is missing or damaged.</exception>
    public static TrainState LoadState(string folder)
    {
        string path = Path.Combine(folder, StateFile);
        try
        {
            return JsonSerializer.Deserialize<TrainState>(File.ReadAllText(path), Json) ?? throw new JsonException("the file says null");
        }
        catch (Exception e) when (e is JsonException or IOException)
        {
            throw new CheckpointException($"{path} cannot be read: {e.Message}", e);
        }
    }

    private static string FirstMoment(ParameterSlice slice) => "exp_avg." + slice.Name;

    private static string SecondMoment(ParameterSlice slice) => "exp_avg_sq." + slice.Name;
}
