using System.Collections.Concurrent;
using System.Reflection;
using System.Text.Json;

namespace Saltern.Configuration;

/// <summary>How a type of the configuration looks in a recipe.</summary>
/// <param name="Type">The type, without the question mark of a nullable one.</param>
internal abstract record ValueShape(Type Type)
{
    private static readonly ConcurrentDictionary<Type, ValueShape> Known = [];

    /// <summary>What a recipe has to say here, in a message.</summary>
    public abstract string Expected { get; }

    /// <summary>The shape of a type.</summary>
    /// <exception cref="InvalidOperationException">A recipe cannot hold that type; a mistake in the program, not in a recipe.</exception>
    public static ValueShape Of(Type type)
    {
        if (Known.TryGetValue(type, out ValueShape? shape))
        {
            return shape;
        }

        return Known.GetOrAdd(type, Create(type));
    }

    /// <summary>snake_case of a C# name, as System.Text.Json writes it, so that a JSON schema will agree.</summary>
    public static string NameOf(MemberInfo member) =>
        member.GetCustomAttribute<RecipeKeyAttribute>()?.Name
        ?? JsonNamingPolicy.SnakeCaseLower.ConvertName(member.Name);

    private static ValueShape Create(Type type)
    {
        if (
            type == typeof(string)
            || type == typeof(bool)
            || type == typeof(int)
            || type == typeof(long)
            || type == typeof(double)
            || type == typeof(StepPoint)
            || type == typeof(LayerCount)
        )
        {
            return new ScalarShape(type);
        }

        if (type.IsEnum)
        {
            return new EnumShape(type);
        }

        Type? generic = type.IsGenericType ? type.GetGenericTypeDefinition() : null;
        if (generic == typeof(IReadOnlyList<>))
        {
            return new ListShape(type, type.GetGenericArguments()[0]);
        }

        if (generic == typeof(IReadOnlyDictionary<,>) && type.GetGenericArguments()[0] == typeof(string))
        {
            return new DictionaryShape(type, type.GetGenericArguments()[1]);
        }

        if (RecordShape.IsRecord(type))
        {
            return new RecordShape(type);
        }

        throw new InvalidOperationException(
            $"A recipe cannot hold {type}: it is none of string, bool, int, long, double, StepPoint, LayerCount, an enum, "
                + "IReadOnlyList<X>, IReadOnlyDictionary<string, X> or a concrete record class with a parameterless "
                + "constructor."
        );
    }
}

/// <summary>string, bool, int, long, double, <see cref="StepPoint"/> or <see cref="LayerCount"/>.</summary>
internal sealed record ScalarShape(Type Type) : ValueShape(Type)
{
    public override string Expected => ScalarText.Expected(Type);
}

/// <summary>One of some words.</summary>
internal sealed record EnumShape : ValueShape
{
    public EnumShape(Type type)
        : base(type)
    {
        foreach (FieldInfo field in type.GetFields(BindingFlags.Public | BindingFlags.Static))
        {
            Values.Add(NameOf(field), field.GetValue(null)!);
        }
    }

    /// <summary>The values by the words of a recipe, in the order of declaration.</summary>
    public OrderedDictionary<string, object> Values { get; } = [];

    public override string Expected => $"one of {MessageText.OfNames(Values.Keys)}";

    public string WordOf(object value) => Values.First(pair => pair.Value.Equals(value)).Key;
}

/// <summary>Values in order; read as an array.</summary>
internal sealed record ListShape(Type Type, Type ElementType) : ValueShape(Type)
{
    public ValueShape Element => Of(ElementType);

    public override string Expected => "a list";
}

/// <summary>Values by free names; read as an ordered dictionary.</summary>
internal sealed record DictionaryShape(Type Type, Type ElementType) : ValueShape(Type)
{
    public ValueShape Element => Of(ElementType);

    public override string Expected => "a map from names to values";
}
