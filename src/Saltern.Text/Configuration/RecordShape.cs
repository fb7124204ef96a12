using System.ComponentModel.DataAnnotations;
using System.Reflection;
using System.Runtime.CompilerServices;

namespace Saltern.Configuration;

/// <summary>The keys of a record: its public properties that can be set.</summary>
internal sealed record RecordShape : ValueShape
{
    /// <summary>What the compiler calls the method behind <c>with</c>; only records have it.</summary>
    private const string CloneMethod = "<Clone>$";

    private readonly MethodInfo _clone;

    public RecordShape(Type type)
        : base(type)
    {
        _clone = type.GetMethod(CloneMethod)!;
        var nullability = new NullabilityInfoContext();
        foreach (
            PropertyInfo property in type.GetProperties(BindingFlags.Public | BindingFlags.Instance)
                .Where(property =>
                    property.SetMethod is { IsPublic: true } && property.GetIndexParameters().Length == 0
                )
                .OrderBy(property => Depth(property.DeclaringType!))
                .ThenBy(property => property.MetadataToken)
        )
        {
            Keys.Add(NameOf(property), new KeyShape(property, nullability));
        }

        CheckDefaults(Create());
    }

    /// <summary>The keys by name, in the order of declaration, a base record's first.</summary>
    public OrderedDictionary<string, KeyShape> Keys { get; } = [];

    /// <summary>Key that a single value stands for; null where only a map will do.</summary>
    public string? ShortForm => Type.GetCustomAttribute<ShortFormAttribute>()?.Key;

    public override string Expected
    {
        get
        {
            string alone = ShortForm is null ? "" : $", or its {ShortForm} alone";
            return $"a map with the keys {MessageText.OfNames(Keys.Keys)}{alone}";
        }
    }

    public static bool IsRecord(Type type) =>
        type is { IsClass: true, IsAbstract: false }
        && type.GetMethod(CloneMethod) is not null
        && type.GetConstructor([]) is not null;

    /// <summary>A record with every default; required keys are not set yet.</summary>
    public object Create() => Activator.CreateInstance(Type)!;

    public object CopyOf(object record) => _clone.Invoke(record, null)!;

    private static int Depth(Type type)
    {
        int depth = 0;
        for (Type? above = type.BaseType; above is not null; above = above.BaseType)
        {
            depth++;
        }

        return depth;
    }

    /// <summary>
    /// A recipe says null by leaving the key out, so null has to be the default wherever it is allowed, and nowhere else;
    /// otherwise a written recipe would not read back as the same run.
    /// </summary>
    private void CheckDefaults(object record)
    {
        foreach (KeyShape key in Keys.Values)
        {
            object? value = key.Get(record);
            string name = $"{Type.Name}.{key.Property.Name}";
            if (key.IsRequired && key.IsNullable)
            {
                throw new InvalidOperationException($"{name} is required and may be null; a recipe cannot say both.");
            }

            if (key.IsNullable && value is not null)
            {
                throw new InvalidOperationException($"{name} may be null, so null must be its default.");
            }

            if (!key.IsRequired && !key.IsNullable && value is null)
            {
                throw new InvalidOperationException(
                    $"{name} has no default; give it one, make it required or make it nullable."
                );
            }

            if (value is not null && key.Shape is RecordShape nested)
            {
                nested.CheckDefaults(value);
            }
        }
    }
}

/// <summary>One key of a record.</summary>
internal sealed class KeyShape
{
    private readonly Type _valueType;

    public KeyShape(PropertyInfo property, NullabilityInfoContext nullability)
    {
        Property = property;
        _valueType = Nullable.GetUnderlyingType(property.PropertyType) ?? property.PropertyType;
        IsNullable = nullability.Create(property).WriteState == NullabilityState.Nullable;
        IsRequired = property.IsDefined(typeof(RequiredMemberAttribute));
        AltersNumbers = !property.IsDefined(typeof(DoesNotAlterNumbersAttribute));
        NamesInput = property.IsDefined(typeof(NamesInputAttribute));
        Advice = property.GetCustomAttribute<AdviceAttribute>()?.Text;
        Checks = [.. property.GetCustomAttributes<ValidationAttribute>()];
        ValueChecks.RefuseMisplaced(property, Checks);
    }

    public PropertyInfo Property { get; }

    /// <summary>Looked up late, because a record may hold records of its own kind.</summary>
    public ValueShape Shape => ValueShape.Of(_valueType);

    public bool IsNullable { get; }

    public bool IsRequired { get; }

    public bool AltersNumbers { get; }

    public bool NamesInput { get; }

    public string? Advice { get; }

    public IReadOnlyList<ValidationAttribute> Checks { get; }

    public object? Get(object record) => Property.GetValue(record);

    public void Set(object record, object? value) => Property.SetValue(record, value);
}
