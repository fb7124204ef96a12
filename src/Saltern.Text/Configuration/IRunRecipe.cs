namespace Saltern.Configuration;

/// <summary>A recipe that a run folder keeps, and that a resumed run is held to.</summary>
internal interface IRunRecipe
{
    /// <summary>Why a key may not change on resume, whatever <c>--set</c> says: the rest of the sentence after "was … and is now …: ". Null where it may.</summary>
    /// <param name="key">Key path, such as <c>training.steps</c>.</param>
    string? FixedBecause(string key);
}
