namespace Saltern.Configuration;

/// <summary>
/// Marks a key that says where an input lies: its content decides the numbers, not its name. Two runs are told apart by the content's
/// fingerprint, so that a result stays valid where the data or the teacher has been moved.
/// </summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class NamesInputAttribute : Attribute;
