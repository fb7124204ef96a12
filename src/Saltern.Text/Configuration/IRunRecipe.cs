namespace Saltern.Configuration;

/// <summary>A recipe that a run folder keeps, and that a resumed run is held to.</summary>
internal interface IRunRecipe
{
    /// <summary>Why a key may not change on resume, whatever <c>--set</c> says: the rest of the sentence after "was … and is now …: ". Null where it may.</summary>
    /// <param name="key">Key path, such as <c>training.steps</c>.</param>
    /// <param name="now">The recipe that the run is to go on with.</param>
    /// <param name="doneSteps">Steps that the run has made; 0 where it starts anew.</param>
    string? FixedBecause(string key, IRunRecipe now, int doneSteps);
}
