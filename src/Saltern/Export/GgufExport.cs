using System.Runtime.InteropServices;
using Saltern.Files;
using Saltern.ModelFiles;
using Saltern.Models;

namespace Saltern.Export;

/// <summary>Writes a model as one GGUF file, with its tokenizer.</summary>
internal static class GgufExport
{
    private const string FrequencyFactors = "rope_freqs.weight";
    private const string Head = "output.weight";
    private const uint QuantizationVersion = 2; // of ggml's block formats

    /// <summary>Writes the file.</summary>
    /// <param name="type">Type of matrices; vectors are float32.</param>
    /// <param name="beside">Writes what belongs beside the file, before that has its name; null for nothing.</param>
    public static ExportResult Write(
        SourceModel model,
        WeightStream weights,
        string target,
        WeightType type,
        Action? beside = null
    )
    {
        var architecture = new GgufArchitecture(model.Config);
        List<OutgoingTensor> tensors =
        [
            .. model.Tensors.Select(entry =>
                Tensor(entry.Tensor, entry.Source, model.Config, architecture, weights, type)
            ),
        ];
        if (architecture.RepeatsTiedHead)
        {
            (StoredTensor embedding, string source) = model.Tensors[0];
            tensors.Add(Tensor(embedding, source, model.Config, architecture, weights, type) with { Name = Head });
        }

        if (architecture.FrequencyFactors() is float[] factors)
        {
            tensors.Add(
                new OutgoingTensor(
                    FrequencyFactors,
                    [factors.Length],
                    WeightType.F32,
                    [MemoryMarshal.AsBytes<float>(factors).ToArray()]
                )
            );
        }

        using var metadata = new GgufMetadata();
        metadata.Add("general.architecture", architecture.Name);
        metadata.Add("general.type", "model");
        metadata.Add("general.name", Path.GetFileNameWithoutExtension(target));
        metadata.Add("general.file_type", GgufFile.FileType(type));
        metadata.Add("general.alignment", (uint)GgufFile.Alignment);
        if (type == WeightType.Q8)
        {
            metadata.Add("general.quantization_version", QuantizationVersion);
        }

        architecture.Describe(metadata);
        IReadOnlyList<string> warnings = GgufTokenizer.Describe(
            model.Tokenizer,
            model.EndTokens,
            model.Config.VocabSize,
            metadata
        );
        if (model.ChatTemplate is string template)
        {
            metadata.Add("tokenizer.chat_template", template);
        }

        WholeFile.WriteNew(target, file => GgufFile.Write(file, metadata, tensors), beside);
        return new ExportResult(
            model.Config,
            [target],
            new FileInfo(target).Length,
            [.. architecture.Warnings, .. warnings]
        );
    }

    private static OutgoingTensor Tensor(
        StoredTensor tensor,
        string source,
        TransformerConfig config,
        GgufArchitecture architecture,
        WeightStream weights,
        WeightType type
    )
    {
        bool isMatrix = tensor.Shape.Length == 2;
        long[] shape = tensor.Shape;
        if (tensor.Form == StoredForm.Transposed)
        {
            shape = [shape[1], shape[0]];
        }

        if (type == WeightType.Q8 && isMatrix && shape[1] % WeightEncoding.BlockLength != 0)
        {
            throw new DataFormatException(
                $"--dtype q8_0 takes rows in blocks of {WeightEncoding.BlockLength}, "
                    + $"but {tensor.Name} has {shape[1]} columns. Use f16, bf16 or f32."
            );
        }

        bool isRotated =
            tensor.Name.Contains(".q_proj.", StringComparison.Ordinal)
            || tensor.Name.Contains(".k_proj.", StringComparison.Ordinal);
        Func<IEnumerable<Memory<float>>, IEnumerable<Memory<float>>>? reorder = null;
        if (tensor.Form == StoredForm.HeadByHead)
        {
            reorder = pieces => RowOrder.ByProjection(pieces, config.HeadDim, tensor.RowLength);
        }
        else if (tensor.Form == StoredForm.Transposed)
        {
            reorder = pieces => RowOrder.Transpose(pieces, tensor.Count, tensor.RowLength);
        }
        else if (isRotated && architecture.RotatesNeighbours)
        {
            reorder = pieces => RowOrder.Interleave(pieces, config.HeadDim, tensor.RowLength);
        }
        else if (architecture.AddsOneToNorms && tensor.Name.EndsWith("norm.weight", StringComparison.Ordinal))
        {
            reorder = RowOrder.AddOne;
        }

        WeightType own = isMatrix ? type : WeightType.F32;
        return new OutgoingTensor(architecture.NameOf(tensor.Name), shape, own, weights.Encode(source, own, reorder));
    }
}
