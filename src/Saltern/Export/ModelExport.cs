using Saltern.Checkpoints;
using Saltern.Files;
using Saltern.ModelFiles;
using Saltern.Models;

namespace Saltern.Export;

/// <summary>Forms that a model can leave in.</summary>
internal enum ExportFormat
{
    /// <summary>A folder that Hugging Face's libraries load.</summary>
    HuggingFace,

    /// <summary>One file for llama.cpp and what is built on it.</summary>
    Gguf,
}

/// <summary>What an export is asked for.</summary>
internal sealed record ExportOptions
{
    /// <summary>Form of the result.</summary>
    public required ExportFormat Format { get; init; }

    /// <summary>Type of the weights; GGUF keeps vectors (norms, biases) in float32 whatever this says, as its programs expect.</summary>
    public WeightType Type { get; init; } = WeightType.F32;

    /// <summary>Bytes of weights above which a Hugging Face folder gets a further file; a single tensor may be larger.</summary>
    public long ShardBytes { get; init; } = 5_000_000_000;

    /// <summary>Keys of the model's config that need not be understood; null for none.</summary>
    public IReadOnlyCollection<string>? IgnoredKeys { get; init; }
}

/// <summary>What an export has made.</summary>
/// <param name="Files">Paths of the weight files.</param>
/// <param name="Bytes">Bytes of the weight files together.</param>
/// <param name="Warnings">What the form cannot say in full, one sentence each; empty where the result computes just what the model does.</param>
internal sealed record ExportResult(
    TransformerConfig Config,
    IReadOnlyList<string> Files,
    long Bytes,
    IReadOnlyList<string> Warnings
)
{
    /// <summary>What of the model's config was passed over; null for nothing worth a word.</summary>
    public string? Remark { get; init; }
}

/// <summary>Writes a model for other programs, piece by piece: memory does not grow with the model.</summary>
internal static class ModelExport
{
    /// <summary>Converts.</summary>
    /// <param name="source">Model folder: a checkpoint or a Hugging Face folder.</param>
    /// <param name="target">Folder or (GGUF) file to create; it appears whole or not at all.</param>
    /// <param name="progress">Is told of every piece; null for nobody.</param>
    /// <param name="cancellation">Ends the export and leaves nothing behind.</param>
    /// <exception cref="DataFormatException">The source is damaged, or the form or type cannot hold it; the message names what.</exception>
    /// <exception cref="ConfigurationException">The options contradict each other, or there is something at the target.</exception>
    public static ExportResult Run(
        string source,
        string target,
        ExportOptions options,
        IProgress<WeightProgress>? progress = null,
        CancellationToken cancellation = default
    )
    {
        if (Path.Exists(target))
        {
            throw new ConfigurationException(
                $"--out {target}: there is something already. Name a path that does not exist."
            );
        }

        using SourceModel model = SourceModel.Open(source, options.IgnoredKeys);
        var weights = new WeightStream(model, progress, cancellation);
        return Write(source, model, weights, target, options) with { Remark = model.Reading.Remark };
    }

    private static ExportResult Write(
        string source,
        SourceModel model,
        WeightStream weights,
        string target,
        ExportOptions options
    )
    {
        if (options.Format == ExportFormat.HuggingFace)
        {
            return HuggingFaceExport.Write(
                model,
                weights,
                target,
                options,
                folder =>
                {
                    Lineage.Write(folder, Lineage.Exported(source, folder, model.Reading.Ignored));
                    WholeFile.WriteText(Path.Combine(folder, ModelCard.FileName), Card());
                }
            );
        }

        string path = ModelCard.PathOf(target, options.Format);
        string card = Card();
        if (Path.Exists(path) && !(File.Exists(path) && File.ReadAllText(path) == card))
        {
            throw new ConfigurationException(
                $"--out {target}: its model card would be {path}, and there is something already. Name another path, or remove that."
            );
        }

        return GgufExport.Write(
            model,
            weights,
            target,
            options.Type,
            beside: () => WholeFile.WriteText(path, card) // the same text is what an interrupted export left
        );

        string Card() => ModelCard.Write(source, model, Path.GetFileNameWithoutExtension(target), options.Type);
    }
}
