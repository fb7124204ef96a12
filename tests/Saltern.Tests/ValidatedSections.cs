using Saltern.Configuration;

namespace Saltern.Tests;

internal static class ValidatedSections
{
    /// <summary>What a section of a recipe says is wrong with it.</summary>
    public static IEnumerable<ConfigurationProblem> Validate(this IValidated section) => section.Validate();
}
