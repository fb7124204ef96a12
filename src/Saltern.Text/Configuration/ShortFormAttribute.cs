namespace Saltern.Configuration;

/// <summary>A section that may be given as a single value in place of a map: the value is then that of one of its keys.</summary>
/// <param name="key">The key, as a recipe writes it.</param>
[AttributeUsage(AttributeTargets.Class, Inherited = false)]
internal sealed class ShortFormAttribute(string key) : Attribute
{
    /// <summary>The key that the single value stands for.</summary>
    public string Key { get; } = key;
}
