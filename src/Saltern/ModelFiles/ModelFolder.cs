using System.Runtime.InteropServices;
using System.Text.Json;
using Saltern.Files;
using Saltern.Models;
using TorchSharp;

namespace Saltern.ModelFiles;

/// <summary>A model as a Hugging Face folder: <c>config.json</c>, <c>model.safetensors</c> (or its parts and their index) and, beside them, <c>tokenizer.json</c>.</summary>
public static class ModelFolder
{
    /// <summary>Weights.</summary>
    internal const string WeightsFile = "model.safetensors";

    /// <summary>Shape.</summary>
    internal const string ConfigFile = "config.json";

    /// <summary>Tokenizer.</summary>
    internal const string TokenizerFile = "tokenizer.json";

    private static readonly Dictionary<string, string> Metadata = new() { ["format"] = "pt" };
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    /// <summary>Writes shape and weights; every file is flushed to the disk.</summary>
    public static void Save(string folder, Transformer model) => Save(folder, model.Config, Tensors(model));

    /// <summary>Name, shape and bytes of each weight, read when asked for.</summary>
    /// <param name="flat">Other values in the layout of the model's flat weights; null for its own.</param>
    internal static IReadOnlyList<(string Name, long[] Shape, Func<ReadOnlyMemory<byte>> Bytes)> Tensors(
        Transformer model,
        torch.Tensor? flat = null
    ) =>
        [
            .. StoredWeights
                .Of(model.Config, model.Parameters.Layout)
                .Select(tensor =>
                    (tensor.Name, tensor.Shape, (Func<ReadOnlyMemory<byte>>)(() => Bytes(model, flat, tensor)))
                ),
        ];

    /// <summary>A weight as the files have it, [Shape], contiguous, with its adapters in it; the caller owns it.</summary>
    internal static torch.Tensor InFileOrder(Transformer model, StoredTensor tensor)
    {
        if (model.Adapters is not LowRankAdapters adapters)
        {
            return tensor.InFileOrder(model.Parameters);
        }

        using torch.Tensor merged = adapters.Merged(model.Parameters, tensor.Offset, tensor.Count);
        return (tensor with { Offset = 0 }).InFileOrder(merged);
    }

    /// <summary>Writes a shape and weights that are given tensor by tensor.</summary>
    internal static void Save(
        string folder,
        TransformerConfig config,
        IReadOnlyList<(string Name, long[] Shape, Func<ReadOnlyMemory<byte>> Bytes)> tensors
    )
    {
        SaveConfig(folder, config);
        SafeTensorsFile.WriteFloat32(Path.Combine(folder, WeightsFile), tensors, Metadata);
    }

    /// <summary>Writes a shape and weights that are given piece by piece.</summary>
    internal static void Save(
        string folder,
        TransformerConfig config,
        IReadOnlyList<(string Name, long[] Shape, IEnumerable<ReadOnlyMemory<byte>> Pieces)> tensors
    )
    {
        SaveConfig(folder, config);
        SafeTensorsFile.WriteFloat32(Path.Combine(folder, WeightsFile), tensors, Metadata);
    }

    /// <summary>Reads the shape.</summary>
    /// <param name="folder">Folder with config.json.</param>
    /// <param name="ignoredKeys">Keys of the file that need not be understood, those inside others with dots; null for none.</param>
    /// <exception cref="DataFormatException">The file is missing, damaged or asks for something that is not computed here.</exception>
    /// <exception cref="ConfigurationException">A key is to be ignored that is understood.</exception>
    public static TransformerConfig LoadConfig(string folder, IReadOnlyCollection<string>? ignoredKeys = null) =>
        ReadConfig(folder, ignoredKeys).Shape;

    /// <summary>Reads the shape, and says what of the file was passed over.</summary>
    /// <param name="ignoredKeys">Keys that need not be understood; null for none.</param>
    /// <exception cref="DataFormatException">The file is missing, damaged or asks for something that is not computed here.</exception>
    /// <exception cref="ConfigurationException">A key is to be ignored that is understood.</exception>
    internal static ConfigReading ReadConfig(string folder, IReadOnlyCollection<string>? ignoredKeys = null)
    {
        if (FolderFile.Exists(folder, ConfigFile))
        {
            return HuggingFaceConfig.Read(FolderFile.Find(folder, ConfigFile), ignoredKeys ?? []);
        }

        throw new DataFormatException($"{folder} has no {ConfigFile}, so it is not a model folder.");
    }

    /// <summary>Path of the tokenizer.</summary>
    /// <exception cref="DataFormatException">It is missing, or a link.</exception>
    public static string TokenizerPath(string folder) => FolderFile.Find(folder, TokenizerFile);

    /// <summary>Loads shape and weights; the caller owns the model.</summary>
    /// <param name="folder">Folder with config.json and model.safetensors, or its parts and their index.</param>
    /// <param name="trainable">Whether gradients are kept.</param>
    /// <param name="device">Where the weights are to live; the CPU by default.</param>
    /// <param name="type">Type of weights and activations.</param>
    public static Transformer Load(
        string folder,
        bool trainable,
        torch.Device? device = null,
        torch.ScalarType type = torch.ScalarType.Float32
    ) => Load(folder, LoadConfig(folder), trainable, progress: null, device, type);

    /// <summary>Loads a model whose shape was read before, and tells of it.</summary>
    internal static Transformer Load(
        string folder,
        TransformerConfig config,
        bool trainable,
        IProgress<WeightProgress>? progress,
        torch.Device? device = null,
        torch.ScalarType type = torch.ScalarType.Float32
    )
    {
        using WeightFiles files = WeightFiles.Open(folder);

        // Before memory is taken for what the config claims.
        IReadOnlyList<StoredTensor> tensors = WeightMatch.Check(files, config);
        var model = new Transformer(config, trainable, type, device);
        try
        {
            Fill(files, tensors, model, progress);
            return model;
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    /// <summary>Fills an existing model with a folder's weights, piece by piece; float16 and bfloat16 are widened.</summary>
    /// <exception cref="DataFormatException">A tensor is missing, superfluous or of another shape or type.</exception>
    internal static void LoadWeights(string folder, Transformer model, IProgress<WeightProgress>? progress = null)
    {
        using WeightFiles files = WeightFiles.Open(folder);
        Fill(files, WeightMatch.Check(files, model.Config), model, progress);
    }

    private static void Fill(
        WeightFiles files,
        IReadOnlyList<StoredTensor> tensors,
        Transformer model,
        IProgress<WeightProgress>? progress
    )
    {
        using IDisposable _ = torch.no_grad();
        long done = 0;
        long total = tensors.Sum(tensor => tensor.Count);
        foreach (StoredTensor tensor in tensors)
        {
            files.Read(
                tensor.Name,
                (at, values) =>
                {
                    using DisposeScope scope = torch.NewDisposeScope();
                    torch.Tensor piece = torch.empty(values.Length, torch.ScalarType.Float32, torch.CPU);
                    MemoryMarshal.AsBytes(values.Span).CopyTo(piece.bytes);
                    tensor.Fill(model.Parameters, at, piece);
                    progress?.Report(new WeightProgress(tensor.Name, done + values.Length, total, IsFirst: done == 0));
                    done += values.Length;
                },
                tensor.RowLength
            );
        }
    }

    private static ReadOnlyMemory<byte> Bytes(Transformer model, torch.Tensor? flat, StoredTensor tensor)
    {
        using torch.Tensor weight = flat is null ? InFileOrder(model, tensor) : tensor.InFileOrder(flat);
        using torch.Tensor here = weight.cpu();
        return here.bytes.ToArray();
    }

    private static void SaveConfig(string folder, TransformerConfig config) =>
        WholeFile.WriteText(Path.Combine(folder, ConfigFile), HuggingFaceConfig.Write(config).ToJsonString(Indented));
}
