using System.Runtime.InteropServices;
using Saltern.Models;

namespace Saltern.Checkpoints;

/// <summary>Whether a folder's tensors are exactly those that a shape asks for.</summary>
internal static class WeightMatch
{
    private const string Head = "lm_head.weight", Embedding = "model.embed_tokens.weight";
    private const int NamesShown = 5;

    /// <summary>Compares names and shapes; types are checked when the values are read.</summary>
    /// <param name="files">The folder's.</param>
    /// <param name="layout">What the shape asks for.</param>
    /// <param name="isTied">Whether the head is the embedding: some files hold it twice all the same.</param>
    /// <exception cref="DataFormatException">A tensor is missing, superfluous or of another shape.</exception>
    public static void Check(WeightFiles files, ParameterLayout layout, bool isTied)
    {
        var entries = new Dictionary<string, SafeTensorsEntry>(files.Entries);
        foreach (ParameterSlice slice in layout.Slices)
        {
            if (!entries.Remove(slice.Name, out SafeTensorsEntry? entry))
            {
                throw new DataFormatException($"{files.Folder} has no tensor '{slice.Name}', which its config.json asks for.");
            }

            if (!entry.Shape.SequenceEqual(slice.Shape))
            {
                throw new DataFormatException($"{files.PathOf(slice.Name)}: {slice.Name} is {entry.Type} [{string.Join(", ", entry.Shape)}], expected [{string.Join(", ", slice.Shape)}].");
            }
        }

        if (isTied && entries.Remove(Head))
        {
            CheckSecondCopy(files);
        }

        if (entries.Count > 0)
        {
            throw new DataFormatException($"{files.Folder} has {entries.Count} tensors that the model does not know: {string.Join(", ", entries.Keys.Take(NamesShown))}{(entries.Count > NamesShown ? ", …" : "")}.");
        }
    }

    private static void CheckSecondCopy(WeightFiles files)
    {
        bool same = files.Entries[Head].Shape.SequenceEqual(files.Entries[Embedding].Shape)
            && files.Pieces(Head).Zip(files.Pieces(Embedding)).All(pair => MemoryMarshal.AsBytes(pair.First.Span).SequenceEqual(MemoryMarshal.AsBytes(pair.Second.Span)));
        if (!same)
        {
            throw new DataFormatException($"{files.PathOf(Head)}: {Head} differs from {Embedding}, but config.json says tie_word_embeddings. One of the two is wrong.");
        }
    }
}
