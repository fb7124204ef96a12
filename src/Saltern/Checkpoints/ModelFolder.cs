using System.Runtime.InteropServices;
using System.Text.Json;
using Saltern.Interop;
using Saltern.Models;
using TorchSharp;

namespace Saltern.Checkpoints;

/// <summary>A model as a Hugging Face folder: <c>config.json</c>, <c>model.safetensors</c> (or its parts and their index) and, beside them, <c>tokenizer.json</c>.</summary>
public static class ModelFolder
{
    /// <summary>Weights.</summary>
    public const string WeightsFile = "model.safetensors";

    /// <summary>Shape.</summary>
    public const string ConfigFile = "config.json";

    /// <summary>Tokenizer.</summary>
    public const string TokenizerFile = "tokenizer.json";

    private static readonly Dictionary<string, string> Metadata = new() { ["format"] = "pt" };
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    /// <summary>Writes shape and weights; every file is flushed to the disk.</summary>
    public static void Save(string folder, Transformer model) => Save(folder, model.Config, Tensors(model));

    /// <summary>Name, shape and bytes of each weight, read when asked for.</summary>
    internal static IReadOnlyList<(string Name, long[] Shape, Func<ReadOnlyMemory<byte>> Bytes)> Tensors(Transformer model) =>
        [.. model.Parameters.Layout.Slices.Select(slice => (slice.Name, slice.Shape, (Func<ReadOnlyMemory<byte>>)(() => Bytes(model, slice))))];

    /// <summary>Writes a shape and weights that are given tensor by tensor.</summary>
    internal static void Save(string folder, TransformerConfig config, IReadOnlyList<(string Name, long[] Shape, Func<ReadOnlyMemory<byte>> Bytes)> tensors)
    {
        SaveConfig(folder, config);
        SafeTensorsFile.WriteFloat32(Path.Combine(folder, WeightsFile), tensors, Metadata);
    }

    /// <summary>Writes a shape and weights that are given piece by piece.</summary>
    internal static void Save(string folder, TransformerConfig config, IReadOnlyList<(string Name, long[] Shape, IEnumerable<ReadOnlyMemory<byte>> Pieces)> tensors)
    {
        SaveConfig(folder, config);
        SafeTensorsFile.WriteFloat32(Path.Combine(folder, WeightsFile), tensors, Metadata);
    }

    /// <summary>Reads the shape.</summary>
    /// <exception cref="DataFormatException">The file is missing, damaged or asks for something that is not computed here.</exception>
    public static TransformerConfig LoadConfig(string folder) => FolderFile.Exists(folder, ConfigFile)
        ? HuggingFaceConfig.Read(FolderFile.Find(folder, ConfigFile))
        : throw new DataFormatException($"{folder} has no {ConfigFile}, so it is not a model folder.");

    /// <summary>Loads shape and weights; the caller owns the model.</summary>
    /// <param name="folder">Folder with config.json and model.safetensors, or its parts and their index.</param>
    /// <param name="trainable">Whether gradients are kept.</param>
    /// <param name="device">Where the weights are to live; the CPU by default.</param>
    /// <param name="type">Type of weights and activations.</param>
    public static Transformer Load(string folder, bool trainable, torch.Device? device = null, torch.ScalarType type = torch.ScalarType.Float32)
    {
        TransformerConfig config = LoadConfig(folder);
        using WeightFiles files = WeightFiles.Open(folder);

        // Before memory is taken for what the config claims.
        WeightMatch.Check(files, new DecoderLayout(config).Parameters, config.IsTied);
        var model = new Transformer(config, trainable, type, device);
        try
        {
            Fill(files, model);
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
    public static void LoadWeights(string folder, Transformer model)
    {
        using WeightFiles files = WeightFiles.Open(folder);
        WeightMatch.Check(files, model.Parameters.Layout, model.Config.IsTied);
        Fill(files, model);
    }

    private static void Fill(WeightFiles files, Transformer model)
    {
        using IDisposable _ = torch.no_grad();
        foreach (ParameterSlice slice in model.Parameters.Layout.Slices)
        {
            files.Read(slice.Name, (at, values) =>
            {
                using DisposeScope scope = torch.NewDisposeScope();
                torch.Tensor piece = torch.empty(values.Length, torch.ScalarType.Float32, torch.CPU);
                MemoryMarshal.AsBytes(values.Span).CopyTo(piece.bytes);
                model.Parameters.FlatWeights.narrow(0, slice.Offset + at, values.Length).copy_(piece);
            });
        }
    }

    private static ReadOnlyMemory<byte> Bytes(Transformer model, ParameterSlice slice)
    {
        using torch.Tensor weight = model.Parameters.Weight(slice), here = weight.detach().cpu();
        return here.bytes.ToArray();
    }

    private static void SaveConfig(string folder, TransformerConfig config) =>
        DurableFolder.WriteText(Path.Combine(folder, ConfigFile), HuggingFaceConfig.Write(config).ToJsonString(Indented));
}
