namespace Saltern.Configuration;

/// <summary>Says what to do when a key is missing or its value is refused; ends each such message.</summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class AdviceAttribute : Attribute
{
    /// <summary>Creates the attribute with one whole sentence, such as "Use 0 to turn distillation off."</summary>
    public AdviceAttribute(string text)
    {
        Text = text;
    }

    /// <summary>One whole sentence.</summary>
    public string Text { get; }
}
