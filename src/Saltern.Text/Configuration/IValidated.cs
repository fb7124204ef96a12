namespace Saltern.Configuration;

/// <summary>A part of a recipe whose keys can contradict one another.</summary>
internal interface IValidated
{
    /// <summary>
    /// Finds the contradictions between the keys of this record. Called once every key in it, nested ones included,
    /// has been read without a problem; the reader adds the key path of the record and the place.
    /// </summary>
    /// <returns>The problems, none when all is well.</returns>
    IEnumerable<ConfigurationProblem> Validate();
}

/// <summary>A contradiction between the keys of one record.</summary>
/// <param name="Key">
/// Key path below the record, as it stands in a recipe (<c>num_attention_heads</c>, <c>gate.threshold</c>); empty for the record itself.
/// </param>
/// <param name="Message">
/// How the sentence goes on after the key path, and what to do: <c>= 3 does not divide hidden_size = 64. Use 1, 2 or 4.</c>
/// </param>
internal sealed record ConfigurationProblem(string Key, string Message);
