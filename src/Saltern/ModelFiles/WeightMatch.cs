using System.Runtime.InteropServices;
using Saltern.Models;

namespace Saltern.ModelFiles;

/// <summary>Whether a folder's tensors are exactly those that a shape asks for.</summary>
internal static class WeightMatch
{
    private const int NamesShown = 5;

    /// <summary>Compares names and shapes; types are checked when the values are read.</summary>
    /// <returns>The tensors that make the model, in the order of the decoder's weights, by the names that they have in these files.</returns>
    /// <exception cref="DataFormatException">A tensor is missing, superfluous or of another shape.</exception>
    public static IReadOnlyList<StoredTensor> Check(WeightFiles files, TransformerConfig config)
    {
        var entries = new Dictionary<string, SafeTensorsEntry>(files.Entries);
        IReadOnlyList<StoredTensor> tensors =
        [
            .. StoredWeights.Of(config).Select(tensor => tensor with { Name = NameIn(files, tensor.Name, config) }),
        ];
        foreach (StoredTensor tensor in tensors)
        {
            if (!entries.Remove(tensor.Name, out SafeTensorsEntry? entry))
            {
                throw new DataFormatException(
                    $"{files.Folder} has no tensor '{tensor.Name}', which its config.json asks for."
                );
            }

            if (!entry.Shape.SequenceEqual(tensor.Shape))
            {
                throw new DataFormatException(
                    $"{files.PathOf(tensor.Name)}: {tensor.Name} is {entry.Type} [{string.Join(", ", entry.Shape)}], "
                        + $"expected [{string.Join(", ", tensor.Shape)}]."
                );
            }
        }

        string head = StoredWeights.HeadName(config);
        if (config.IsTied && entries.Remove(head))
        {
            CheckSecondCopy(files, head, tensors[0].Name);
        }

        foreach (string buffer in entries.Keys.Where(name => KnownBuffers.Check(files, name, config)).ToArray())
        {
            entries.Remove(buffer);
        }

        if (entries.Count > 0)
        {
            string names = string.Join(", ", entries.Keys.Take(NamesShown));
            string rest = entries.Count > NamesShown ? ", …" : "";
            throw new DataFormatException(
                $"{files.Folder} has {entries.Count} tensors that the model does not know: {names}{rest}."
            );
        }

        return tensors;
    }

    // GPT-2's first files leave the prefix out; of a tied pair some files have kept the head alone.
    private static string NameIn(WeightFiles files, string name, TransformerConfig config)
    {
        string head = StoredWeights.HeadName(config);
        if (
            !files.Entries.ContainsKey(name)
            && name.StartsWith(StoredWeights.Gpt2Prefix, StringComparison.Ordinal)
            && files.Entries.ContainsKey(name[StoredWeights.Gpt2Prefix.Length..])
        )
        {
            return name[StoredWeights.Gpt2Prefix.Length..];
        }

        bool isEmbedding = name == StoredWeights.EmbeddingName(config);
        if (config.IsTied && isEmbedding && !files.Entries.ContainsKey(name) && files.Entries.ContainsKey(head))
        {
            return head;
        }

        return name;
    }

    private static void CheckSecondCopy(WeightFiles files, string head, string embedding)
    {
        bool same =
            files.Entries[head].Shape.SequenceEqual(files.Entries[embedding].Shape)
            && files
                .Pieces(head)
                .Zip(files.Pieces(embedding))
                .All(pair =>
                    MemoryMarshal.AsBytes(pair.First.Span).SequenceEqual(MemoryMarshal.AsBytes(pair.Second.Span))
                );
        if (!same)
        {
            throw new DataFormatException(
                $"{files.PathOf(head)}: {head} differs from {embedding}, but config.json says tie_word_embeddings. One of the two is wrong."
            );
        }
    }
}
