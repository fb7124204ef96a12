using System.Text.Json;
using Saltern.Files;
using Saltern.ModelFiles;
using Saltern.Models;
using Saltern.Optimization;

namespace Saltern.Checkpoints;

/// <summary>All that a run needs to resume bit for bit, all of it or none of it: a Hugging Face folder plus optimizer, trainer state and manifest.</summary>
internal static class Checkpoint
{
    /// <summary>State of the optimizer, by the names of the weights.</summary>
    public const string OptimizerFile = "optimizer.safetensors";

    /// <summary>Step, updates, positions in the data, libtorch's random state (RunSaver puts it there), transition, ranks, threads, costs: TrainState.</summary>
    public const string StateFile = "trainer_state.json";

    /// <summary>Folder of the average over the last steps: a model folder of its own inside the checkpoint.</summary>
    public const string AverageFolder = "ema";

    /// <summary>Low-rank adapters that the run goes on with, by their names; absent where the weights themselves are trained. The checkpoint's weights have them merged in.</summary>
    public const string AdapterFile = "adapter.safetensors";

    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        WriteIndented = true,
        NumberHandling = System.Text.Json.Serialization.JsonNumberHandling.AllowNamedFloatingPointLiterals,
    };

    /// <summary>Writes a checkpoint aside, flushes it and renames it.</summary>
    /// <param name="content">Weights, optimizer and state.</param>
    /// <param name="tokenizerJson">Text of the tokenizer.json to put beside the model.</param>
    public static void Save(string folder, CheckpointContent content, string tokenizerJson) =>
        DurableFolder.Write(
            folder,
            temporary =>
            {
                ModelFolder.Save(temporary, content.Config, content.Weights);
                WholeFile.WriteText(Path.Combine(temporary, ModelFolder.TokenizerFile), tokenizerJson);
                EndTokens.Write(temporary, content.State.EndTokens);
                ChatTemplateFile.Write(temporary, content.State.ChatTemplate);
                SafeTensorsFile.Write(
                    Path.Combine(temporary, OptimizerFile),
                    StateTypes.Outgoing(content.OptimizerTensors),
                    new Dictionary<string, string> { ["updates"] = $"{content.Updates}" }
                );
                if (content.Adapters.Count > 0)
                {
                    SafeTensorsFile.Write(
                        Path.Combine(temporary, AdapterFile),
                        StateTypes.Outgoing(content.Adapters),
                        new Dictionary<string, string> { ["updates"] = $"{content.Updates}" }
                    );
                }

                if (content.StageTensors.Count > 0)
                {
                    SafeTensorsFile.Write(
                        Path.Combine(temporary, content.StageFile),
                        StateTypes.Outgoing(content.StageTensors),
                        new Dictionary<string, string> { ["updates"] = $"{content.Updates}" }
                    );
                }

                if (content.AverageWeights.Count > 0)
                {
                    string average = Path.Combine(temporary, AverageFolder);
                    Disk.Current.CreateFolder(average);
                    ModelFolder.Save(average, content.Config, content.AverageWeights);
                    WholeFile.WriteText(Path.Combine(average, ModelFolder.TokenizerFile), tokenizerJson);
                    DurableFolder.FlushParent(Path.Combine(average, ModelFolder.WeightsFile));
                }

                WholeFile.WriteText(Path.Combine(temporary, StateFile), JsonSerializer.Serialize(content.State, Json));
                CheckpointManifest.Write(temporary);
            }
        );

    /// <summary>Fills model, or its adapters alone, and optimizer, and returns the rest.</summary>
    /// <exception cref="CheckpointException">Adapters, optimizer or state do not fit the model.</exception>
    public static TrainState Load(
        string folder,
        Transformer model,
        Optimizer optimizer,
        IProgress<WeightProgress>? progress = null
    )
    {
        if (model.Adapters is LowRankAdapters adapters)
        {
            LoadAdapters(folder, adapters);
        }
        else
        {
            ModelFolder.LoadWeights(folder, model, progress);
        }

        OptimizerStateReader.Read(Path.Combine(folder, OptimizerFile), optimizer);
        TrainState state = LoadState(folder);
        optimizer.UpdateCount = state.Updates;
        return state;
    }

    private static void LoadAdapters(string folder, LowRankAdapters adapters)
    {
        string path = Path.Combine(folder, AdapterFile);
        if (!File.Exists(path))
        {
            throw new CheckpointException(
                $"{folder} has no {AdapterFile}, but the recipe has the section lora. Go on with the recipe that wrote it."
            );
        }

        OptimizerStateReader.Fill(
            path,
            SafeTensorsFile.ReadHeader(path),
            [.. adapters.Named.Select(each => new OptimizerTensor(each.Name, each.Values).Slot)]
        );
    }

    /// <summary>Fills what is learned besides the model in a stage 1 that is not over; nothing where nothing is.</summary>
    /// <exception cref="CheckpointException">The checkpoint has none of it, or another teacher's.</exception>
    public static void LoadStage(string folder, StageTensors stage)
    {
        if (stage.Tensors.Count == 0)
        {
            return;
        }

        string path = Path.Combine(folder, stage.File);
        if (!File.Exists(path))
        {
            throw new CheckpointException(
                $"{folder} has no {stage.File}, but the recipe's {stage.Section} is not over. Go on with the recipe that wrote it."
            );
        }

        OptimizerStateReader.Fill(
            path,
            SafeTensorsFile.ReadHeader(path),
            [.. stage.Tensors.Select(tensor => tensor.Slot)]
        );
    }

    /// <summary>Fills an average that a state counts updates of.</summary>
    /// <exception cref="DataFormatException">It is missing, or does not fit the model.</exception>
    public static void LoadAverage(string folder, Transformer model, WeightAverage average) =>
        average.InPlaceOfWeights(() => ModelFolder.LoadWeights(Path.Combine(folder, AverageFolder), model));

    /// <summary>What is wrong with a checkpoint; null where it is whole and can be resumed from.</summary>
    public static string? Problem(string folder)
    {
        string[] needed =
        [
            ModelFolder.ConfigFile,
            ModelFolder.WeightsFile,
            ModelFolder.TokenizerFile,
            OptimizerFile,
            StateFile,
        ];
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
            string json = Disk.Current.ReadAllText(path);
            TrainState state =
                JsonSerializer.Deserialize<TrainState>(json, Json) ?? throw new JsonException("the file says null");
            if (JsonSerializer.Deserialize<OldStage>(json, Json)?.Stage1EndStep is int firstWithout)
            {
                return state with { Stage1LastStep = firstWithout - 1 };
            }

            return state;
        }
        catch (Exception e) when (e is JsonException or IOException)
        {
            throw new CheckpointException($"{path} cannot be read: {e.Message}", e);
        }
    }

    // Older states name the first step without the teacher, where newer ones name the last step with it (stage1_last_step).
    private sealed record OldStage(int? Stage1EndStep);
}
