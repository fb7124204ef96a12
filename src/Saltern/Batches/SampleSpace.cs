using System.Text.Json.Serialization;
using Saltern.Files;

namespace Saltern.Batches;

/// <summary>All that decides what sample i of a domain is: what a cache of soft labels and a selection of samples are made for, and good for.</summary>
/// <remarks>Neither seed nor epoch nor batch size is part of it, so arms, seeds, teacher and cache share one set of samples (docs/method.md, "Samples and their order").</remarks>
/// <param name="Data">Fingerprint of the data set.</param>
/// <param name="SequenceLength">T.</param>
/// <param name="MaskDocuments">Whether attention stays inside documents.</param>
/// <param name="Objective">The objective mix in one line; "causal" without one.</param>
/// <param name="Packing">How documents become sequences; null for one stream, as before there was another way.</param>
internal sealed record SampleSpace(
    string Data,
    int SequenceLength,
    bool MaskDocuments,
    string Objective,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] PackingKind? Packing = null
)
{
    /// <summary>The space of a recipe's samples.</summary>
    /// <param name="dataFingerprint">Of its data set.</param>
    /// <param name="objective">Its section objective; null for causal training.</param>
    public static SampleSpace Of(string dataFingerprint, DataConfig data, ObjectiveConfig? objective) =>
        new(
            dataFingerprint,
            data.SequenceLength,
            data.MaskDocuments,
            objective?.Description ?? ObjectiveConfig.CausalDescription,
            data.Packing == PackingKind.Stream ? null : data.Packing
        );

    /// <summary>Stands for the space as a whole.</summary>
    internal Fingerprint Fingerprint
    {
        get
        {
            string packing = Packing is null ? "" : $"|{Packing}/{DocumentPacker.BlockDocuments}";
            return Fingerprint.Of($"saltern.samples/1|{Data}|{SequenceLength}|{MaskDocuments}|{Objective}{packing}");
        }
    }

    /// <summary>What two spaces differ in, one sentence each; none where they are the same.</summary>
    /// <param name="owner">What this space belongs to, as a sentence begins: <c>teacher.cache = teach</c>.</param>
    public IEnumerable<string> DifferencesFrom(SampleSpace run, string owner)
    {
        if (Data != run.Data)
        {
            yield return $"{owner} was made for the data set {Data}, but the run's data set is {run.Data}. "
                + "Use the data set that it was made for, or make it again.";
        }

        if (SequenceLength != run.SequenceLength)
        {
            yield return $"{owner} was made for sequences of {SequenceLength} tokens, "
                + $"but data.sequence_length = {run.SequenceLength}. Make it again, or change the recipe.";
        }

        if (MaskDocuments != run.MaskDocuments)
        {
            yield return $"{owner} was made with data.mask_documents = {Word(MaskDocuments)}, "
                + $"but the run has {Word(run.MaskDocuments)}. Make it again, or change the recipe.";
        }

        if (Packing != run.Packing)
        {
            yield return $"{owner} was made with data.packing = {Word(Packing)}, "
                + $"but the run has {Word(run.Packing)}. Make it again, or change the recipe.";
        }

        if (Objective != run.Objective)
        {
            yield return $"{owner} was made for the objective '{Objective}', but the run's is '{run.Objective}'. "
                + "Make it again, or change the recipe.";
        }
    }

    private static string Word(PackingKind? packing) => packing == PackingKind.BestFit ? "best_fit" : "stream";

    private static string Word(bool value) => value ? "true" : "false";
}
