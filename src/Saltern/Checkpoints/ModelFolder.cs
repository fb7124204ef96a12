using System.Text.Json;
using System.Text.Json.Nodes;
using Saltern.Models;
using TorchSharp;

namespace Saltern.Checkpoints;

/// <summary>A model as a Hugging Face folder: <c>config.json</c>, <c>model.safetensors</c> and, beside them, <c>tokenizer.json</c>.</summary>
public static class ModelFolder
{
    /// <summary>Weights.</summary>
    public const string WeightsFile = "model.safetensors";

    /// <summary>Shape.</summary>
    public const string ConfigFile = "config.json";

    /// <summary>Tokenizer.</summary>
    public const string TokenizerFile = "tokenizer.json";

    /// <summary>Writes shape and weights; every file is flushed to the disk.</summary>
    public static void Save(string folder, Transformer model) => Save(folder, model.Config, Tensors(model));

    /// <summary>Name, shape and bytes of each weight, read when asked for.</summary>
    internal static IReadOnlyList<(string Name, long[] Shape, Func<ReadOnlyMemory<byte>> Bytes)> Tensors(Transformer model) =>
        [.. model.Parameters.Layout.Slices.Select(slice => (slice.Name, slice.Shape, (Func<ReadOnlyMemory<byte>>)(() => Bytes(model, slice))))];

    /// <summary>Writes a shape and weights that are given tensor by tensor.</summary>
    internal static void Save(string folder, TransformerConfig c, IReadOnlyList<(string Name, long[] Shape, Func<ReadOnlyMemory<byte>> Bytes)> tensors)
    {
        var config = new JsonObject
        {
            ["architectures"] = new JsonArray("LlamaForCausalLM"),
            ["model_type"] = "llama",
            ["hidden_act"] = "silu",
            ["vocab_size"] = c.VocabSize,
            ["hidden_size"] = c.HiddenSize,
            ["num_hidden_layers"] = c.NumHiddenLayers,
            ["num_attention_heads"] = c.NumAttentionHeads,
            ["num_key_value_heads"] = c.NumKeyValueHeads,
            ["head_dim"] = c.HeadDim,
            ["intermediate_size"] = c.IntermediateSize,
            ["max_position_embeddings"] = c.MaxPositionEmbeddings,
            ["rms_norm_eps"] = c.RmsNormEps,
            ["rope_theta"] = c.RopeTheta,
            ["initializer_range"] = c.InitializerRange,
            ["tie_word_embeddings"] = c.IsTied,
            ["attention_bias"] = c.AttentionBias,
            ["mlp_bias"] = c.MlpBias,
            ["torch_dtype"] = "float32",
        };
        DurableFolder.WriteText(Path.Combine(folder, ConfigFile), config.ToJsonString(new JsonSerializerOptions { WriteIndented = true }));
        SafeTensorsFile.WriteFloat32(Path.Combine(folder, WeightsFile), tensors, new Dictionary<string, string> { ["format"] = "pt" });
    }

    /// <summary>Reads the shape.</summary>
    /// <exception cref="DataFormatException">The file is missing, damaged or of another architecture.</exception>
    public static TransformerConfig LoadConfig(string folder)
    {
        string path = Path.Combine(folder, ConfigFile);
        if (!File.Exists(path))
        {
            throw new DataFormatException($"{folder} has no {ConfigFile}, so it is not a model folder.");
        }

        try
        {
            JsonNode json = JsonNode.Parse(File.ReadAllText(path)) ?? throw new JsonException("the file says null");
            if (json["model_type"]?.GetValue<string>() is not "llama" and var type)
            {
                throw new DataFormatException($"{path}: model_type is '{type}'. Only 'llama' can be loaded so far.");
            }

            if (json["hidden_act"]?.GetValue<string>() is not (null or "silu") and var activation)
            {
                throw new DataFormatException($"{path}: hidden_act is '{activation}'. Only 'silu' can be computed so far.");
            }

            foreach (string scaling in new[] { "rope_scaling", "rope_parameters" })
            {
                if (json[scaling] is not null)
                {
                    throw new DataFormatException($"{path}: {scaling} is set, and rotary positions are computed without scaling so far. The model would be wrong, so it is not loaded.");
                }
            }

            var config = new TransformerConfig
            {
                VocabSize = Required<int>(json, "vocab_size"),
                HiddenSize = Required<int>(json, "hidden_size"),
                NumHiddenLayers = Required<int>(json, "num_hidden_layers"),
                NumAttentionHeads = Required<int>(json, "num_attention_heads"),
                NumKeyValueHeads = json["num_key_value_heads"]?.GetValue<int>() ?? 0,
                HeadDim = json["head_dim"]?.GetValue<int>() ?? 0,
                IntermediateSize = Required<int>(json, "intermediate_size"),
                MaxPositionEmbeddings = Required<int>(json, "max_position_embeddings"),
                RmsNormEps = json["rms_norm_eps"]?.GetValue<double>() ?? 1e-6,
                RopeTheta = json["rope_theta"]?.GetValue<double>() ?? 10_000.0,
                InitializerRange = json["initializer_range"]?.GetValue<double>() ?? 0.02,
                TieWordEmbeddings = json["tie_word_embeddings"]?.GetValue<bool>() ?? false,
                AttentionBias = json["attention_bias"]?.GetValue<bool>() ?? false,
                MlpBias = json["mlp_bias"]?.GetValue<bool>() ?? false,
            };
            string[] contradictions = [.. config.Validate().Select(problem => $"{problem.Key} {problem.Message}")];
            if (contradictions.Length > 0 || config.VocabSize <= 0 || config.MaxPositionEmbeddings <= 0 || config.HiddenSize < 0 || config.NumHiddenLayers < 0 || config.IntermediateSize <= 0)
            {
                throw new DataFormatException($"{path} describes no model that can exist: {string.Join(" ", contradictions.DefaultIfEmpty("a size is not positive."))}");
            }

            return config.Resolve(config.VocabSize, config.MaxPositionEmbeddings);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException)
        {
            throw new DataFormatException($"{path} is damaged: {e.Message}", e);
        }
    }

    /// <summary>Loads shape and weights; the caller owns the model.</summary>
    /// <param name="folder">Folder with config.json and model.safetensors.</param>
    /// <param name="trainable">Whether gradients are kept.</param>
    /// <param name="device">Where the weights are to live; the CPU by default.</param>
    public static Transformer Load(string folder, bool trainable, torch.Device? device = null)
    {
        var model = new Transformer(LoadConfig(folder), trainable, device: device);
        try
        {
            LoadWeights(folder, model);
            return model;
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    /// <summary>Fills an existing model with a folder's weights.</summary>
    /// <exception cref="DataFormatException">A tensor is missing, superfluous or of another shape or type.</exception>
    public static void LoadWeights(string folder, Transformer model)
    {
        string path = Path.Combine(folder, WeightsFile);
        var entries = SafeTensorsFile.ReadHeader(path).ToDictionary(entry => entry.Name);
        foreach (ParameterSlice slice in model.Parameters.Layout.Slices)
        {
            if (!entries.Remove(slice.Name, out SafeTensorsEntry? entry))
            {
                throw new DataFormatException($"{path} has no tensor '{slice.Name}', which its config.json asks for.");
            }

            if (entry.Type != "F32" || !entry.Shape.SequenceEqual(slice.Shape))
            {
                throw new DataFormatException($"{path}: {slice.Name} is {entry.Type} [{string.Join(", ", entry.Shape)}], expected F32 [{string.Join(", ", slice.Shape)}].");
            }

            Fill(model, slice, bytes => SafeTensorsFile.ReadBytes(path, entry, bytes));
        }

        if (entries.Count > 0)
        {
            throw new DataFormatException($"{path} has tensors that the model does not know: {string.Join(", ", entries.Keys.Take(5))}.");
        }
    }

    private static ReadOnlyMemory<byte> Bytes(Transformer model, ParameterSlice slice)
    {
        using torch.Tensor weight = model.Parameters.Weight(slice), here = weight.detach().cpu();
        return here.bytes.ToArray();
    }

    private static void Fill(Transformer model, ParameterSlice slice, Action<Span<byte>> read)
    {
        using DisposeScope scope = torch.NewDisposeScope();
        using IDisposable _ = torch.no_grad();
        torch.Tensor weight = model.Parameters.Weight(slice);
        if (weight.device_type == DeviceType.CPU)
        {
            read(weight.bytes);
            return;
        }

        torch.Tensor here = torch.empty(slice.Shape, torch.ScalarType.Float32, torch.CPU);
        read(here.bytes);
        weight.copy_(here);
    }

    private static T Required<T>(JsonNode json, string key) => (json[key] ?? throw new JsonException($"the key '{key}' is missing")).GetValue<T>();
}
