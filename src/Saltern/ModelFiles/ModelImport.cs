using System.Runtime.InteropServices;
using Saltern.Files;

namespace Saltern.ModelFiles;

/// <summary>Turns a Hugging Face folder into one of ours: float32 weights in one file, in the naming and arrangement of their family, a checked config and tokenizer.</summary>
internal static class ModelImport
{
    /// <summary>Converts piece by piece: memory does not grow with the model.</summary>
    /// <param name="source">Folder with <c>config.json</c>, safetensors weights and <c>tokenizer.json</c>.</param>
    /// <param name="target">Folder to create; it appears whole or not at all.</param>
    /// <param name="ignoredKeys">Keys of its config that need not be understood; null for none.</param>
    /// <param name="beside">Is given the folder and what was read, and writes what else belongs there; null for nothing.</param>
    /// <param name="progress">Is told of every piece; null for nobody.</param>
    /// <param name="cancellation">Ends the import and leaves nothing behind.</param>
    /// <returns>The model's shape, and what of its config was passed over.</returns>
    /// <exception cref="DataFormatException">Something in the folder is damaged, unknown or left over; the message names it.</exception>
    /// <exception cref="ConfigurationException">There is something at the target.</exception>
    public static ConfigReading Run(
        string source,
        string target,
        IReadOnlyCollection<string>? ignoredKeys = null,
        Action<string, ConfigReading>? beside = null,
        IProgress<WeightProgress>? progress = null,
        CancellationToken cancellation = default
    )
    {
        if (Path.Exists(target))
        {
            throw new ConfigurationException(
                $"--out {target}: there is something already. Name a folder that does not exist."
            );
        }

        using SourceModel model = SourceModel.Open(source, ignoredKeys);
        long written = 0;
        long total = model.Tensors.Sum(pair => pair.Tensor.Count);
        DurableFolder.WriteNew(
            target,
            temporary =>
            {
                ModelFolder.Save(
                    temporary,
                    model.Config,
                    [.. model.Tensors.Select(pair => (pair.Tensor.Name, pair.Tensor.Shape, Pieces(pair.Source)))]
                );
                WholeFile.WriteText(
                    Path.Combine(temporary, ModelFolder.TokenizerFile),
                    File.ReadAllText(model.TokenizerPath)
                );
                EndTokens.Write(
                    temporary,
                    EndTokens.NeedFile(model.EndTokens, model.Tokenizer) ? model.EndTokens : null
                );
                ChatTemplateFile.Write(temporary, model.ChatTemplate);
                beside?.Invoke(temporary, model.Reading);
            }
        );
        return model.Reading;

        IEnumerable<ReadOnlyMemory<byte>> Pieces(string name)
        {
            byte[] bytes = [];
            foreach (Memory<float> piece in model.Weights.Pieces(name))
            {
                cancellation.ThrowIfCancellationRequested();
                Span<byte> values = MemoryMarshal.AsBytes(piece.Span);
                bytes = bytes.Length == values.Length ? bytes : new byte[values.Length];
                values.CopyTo(bytes);
                yield return bytes;
                progress?.Report(new WeightProgress(name, written + piece.Length, total, IsFirst: written == 0));
                written += piece.Length;
            }
        }
    }
}
