namespace Saltern.Configuration;

/// <summary>
/// Marks a key, or a section with everything in it, that changes nothing about the weights a run ends with
/// (its name, how often it logs), so that it may differ when the run is resumed.
/// </summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class DoesNotAlterNumbersAttribute : Attribute;
