namespace Saltern.Configuration;

/// <summary>Names a recipe key or an enum word where snake_case of the C# name is not the word wanted, as in <c>adamw</c>.</summary>
/// <remarks>Not just Key: System.ComponentModel.DataAnnotations has that, and records use both namespaces.</remarks>
[AttributeUsage(AttributeTargets.Property | AttributeTargets.Field)]
internal sealed class RecipeKeyAttribute : Attribute
{
    /// <summary>Creates the attribute with the word as it stands in a recipe.</summary>
    public RecipeKeyAttribute(string name)
    {
        Name = name;
    }

    /// <summary>The word as it stands in a recipe.</summary>
    public string Name { get; }
}
