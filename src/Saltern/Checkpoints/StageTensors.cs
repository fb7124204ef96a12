using Saltern.Optimization;

namespace Saltern.Checkpoints;

/// <summary>What stage 1 learns besides the model, and its optimizer's state: a file of its own in a checkpoint, only while stage 1 lasts, and no part of the model.</summary>
/// <param name="Section">Section of the recipe, which names the file.</param>
/// <param name="Tensors">Owned by the guidance; empty where nothing is learned.</param>
internal sealed record StageTensors(string Section, IReadOnlyList<OptimizerTensor> Tensors)
{
    /// <summary>Name of the file: for an alignment, <c>alignment.safetensors</c>.</summary>
    public string File => Section + ".safetensors";
}
