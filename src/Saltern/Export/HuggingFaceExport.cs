using System.Text.Json;
using System.Text.Json.Nodes;
using Saltern.Files;
using Saltern.ModelFiles;
using Saltern.Tokenization;

namespace Saltern.Export;

/// <summary>Writes a Hugging Face folder: config.json, weights in one file or several with an index, and the files of tokenizer and generation.</summary>
internal static class HuggingFaceExport
{
    private static readonly Dictionary<string, string> Metadata = new() { ["format"] = "pt" };
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    /// <summary>Writes the folder.</summary>
    /// <param name="options">Type of the weights and size of a file.</param>
    /// <param name="beside">Writes what else belongs into the folder; null for nothing.</param>
    public static ExportResult Write(
        SourceModel model,
        WeightStream weights,
        string target,
        ExportOptions options,
        Action<string>? beside = null
    )
    {
        if (options.Type == WeightType.Q8)
        {
            throw new ConfigurationException(
                "--dtype q8_0 is a type of GGUF files; a Hugging Face folder can have f32, bf16 or f16."
            );
        }

        if (options.ShardBytes <= 0)
        {
            throw new ConfigurationException(
                $"A weight file of at most {options.ShardBytes} bytes can hold nothing. Give a size above 0."
            );
        }

        OutgoingTensor[] tensors =
        [
            .. model.Tensors.Select(entry => new OutgoingTensor(
                entry.Tensor.Name,
                entry.Tensor.Shape,
                options.Type,
                weights.Encode(entry.Source, options.Type)
            )),
        ];
        List<List<OutgoingTensor>> shards = Split(tensors, options.ShardBytes);
        DurableFolder.WriteNew(
            target,
            temporary =>
            {
                JsonObject config = HuggingFaceConfig.Write(model.Config);
                config["torch_dtype"] = WeightTypes.TorchNameOf(options.Type);
                TokenizerCompanions companions = new(
                    model.Tokenizer,
                    model.EndTokens,
                    model.Config.MaxPositionEmbeddings
                );
                companions.AddIdsTo(config);
                WriteJson(temporary, ModelFolder.ConfigFile, config);
                JsonObject tokenizerConfig = companions.TokenizerConfig();
                if (model.ChatTemplate is string template)
                {
                    tokenizerConfig[ChatTemplateFile.Key] = template; // where transformers below 4.44 look
                    ChatTemplateFile.Write(temporary, template);
                }

                WriteJson(temporary, EndTokenFiles.TokenizerConfigFile, tokenizerConfig);
                WriteJson(temporary, EndTokenFiles.GenerationConfigFile, companions.GenerationConfig());
                WholeFile.WriteText(
                    Path.Combine(temporary, ModelFolder.TokenizerFile),
                    File.ReadAllText(model.TokenizerPath)
                );
                foreach ((int number, List<OutgoingTensor> shard) in shards.Index())
                {
                    SafeTensorsFile.Write(Path.Combine(temporary, FileName(number, shards.Count)), shard, Metadata);
                }

                if (shards.Count > 1)
                {
                    WriteJson(temporary, WeightFiles.IndexFile, Index(shards));
                }

                beside?.Invoke(temporary);
            }
        );
        string[] files = [.. shards.Select((_, number) => Path.Combine(target, FileName(number, shards.Count)))];
        return new ExportResult(model.Config, files, files.Sum(file => new FileInfo(file).Length), []);
    }

    // In the order of the model, a new file before the size would be passed: as Hugging Face's own library does it.
    private static List<List<OutgoingTensor>> Split(IEnumerable<OutgoingTensor> tensors, long largest)
    {
        List<List<OutgoingTensor>> shards = [];
        long bytes = 0;
        foreach (OutgoingTensor tensor in tensors)
        {
            if (shards.Count == 0 || bytes + tensor.Bytes > largest)
            {
                shards.Add([]);
                bytes = 0;
            }

            shards[^1].Add(tensor);
            bytes += tensor.Bytes;
        }

        return shards;
    }

    private static string FileName(int number, int count)
    {
        if (count == 1)
        {
            return ModelFolder.WeightsFile;
        }

        return $"model-{number + 1:00000}-of-{count:00000}.safetensors";
    }

    private static JsonObject Index(List<List<OutgoingTensor>> shards)
    {
        var map = new JsonObject();
        foreach ((int number, List<OutgoingTensor> shard) in shards.Index())
        {
            shard.ForEach(tensor => map[tensor.Name] = FileName(number, shards.Count));
        }

        return new JsonObject
        {
            ["metadata"] = new JsonObject
            {
                ["total_size"] = shards.SelectMany(shard => shard).Sum(tensor => tensor.Bytes),
            },
            ["weight_map"] = map,
        };
    }

    private static void WriteJson(string folder, string name, JsonObject content) =>
        WholeFile.WriteText(Path.Combine(folder, name), content.ToJsonString(Indented) + "\n");
}
