using System.Globalization;
using System.Text;

namespace Saltern.Corpora;

/// <summary>A documentation id (<c>M:System.String.Concat(System.Object,System.Object)</c>) and its readable forms.</summary>
internal sealed class MemberId
{
    private static readonly Dictionary<string, string> Keywords = new(StringComparer.Ordinal)
    {
        ["System.Boolean"] = "bool",
        ["System.Byte"] = "byte",
        ["System.SByte"] = "sbyte",
        ["System.Char"] = "char",
        ["System.Decimal"] = "decimal",
        ["System.Double"] = "double",
        ["System.Single"] = "float",
        ["System.Int32"] = "int",
        ["System.UInt32"] = "uint",
        ["System.Int64"] = "long",
        ["System.UInt64"] = "ulong",
        ["System.Int16"] = "short",
        ["System.UInt16"] = "ushort",
        ["System.Object"] = "object",
        ["System.String"] = "string",
        ["System.Void"] = "void",
        ["System.IntPtr"] = "nint",
        ["System.UIntPtr"] = "nuint",
    };

    private readonly char _kind;
    private readonly string _member;
    private readonly string _parameters;

    private MemberId(char kind, string typeName, string member, string parameters)
    {
        _kind = kind;
        TypeName = typeName;
        _member = member;
        _parameters = parameters;
    }

    /// <summary>The type that the member belongs to, or the type itself, as the id writes it.</summary>
    public string TypeName { get; }

    /// <summary>Whether this is a type.</summary>
    public bool IsType => _kind == 'T';

    /// <summary>Takes an id apart; null for namespaces and for what is no id.</summary>
    public static MemberId? TryParse(string? id)
    {
        if (id is not { Length: > 2 } || id[1] != ':' || !"TMPFE".Contains(id[0], StringComparison.Ordinal))
        {
            return null;
        }

        string name = id[2..];
        string parameters = "";
        int open = id.IndexOf('(', StringComparison.Ordinal);
        if (open >= 0)
        {
            int tilde = id.LastIndexOf('~');
            int close = tilde > open ? tilde : id.Length;
            name = id[2..open];
            parameters = id[(open + 1)..close].TrimEnd(')');
        }

        int dot = name.LastIndexOf('.');
        if (id[0] == 'T')
        {
            return new MemberId('T', name, "", "");
        }

        if (dot < 0)
        {
            return null;
        }

        return new MemberId(id[0], name[..dot], name[(dot + 1)..], parameters);
    }

    /// <summary>The name that prose uses for a reference: <c>T:System.Collections.BitArray</c> is BitArray, <c>F:System.Int32.MaxValue</c> is Int32.MaxValue.</summary>
    public static string ShortName(string reference)
    {
        bool hasKind = reference.Length > 1 && reference[1] == ':';
        string id = hasKind ? reference : "T:" + reference;
        if (id[0] == 'N')
        {
            return id[2..];
        }

        string[] parts = Readable(id[2..].Split('(')[0]).Split('.');
        bool qualified = id[0] is 'M' or 'P' or 'F' or 'E' or 'O' && parts.Length > 1 && parts[^1] != "";
        string last = parts[^1];
        if (!qualified)
        {
            return last;
        }

        if (last.StartsWith('#'))
        {
            return parts[^2];
        }

        return $"{parts[^2]}.{last}";
    }

    /// <summary>A name without the counts of type parameters: <c>List`1</c> is List.</summary>
    public static string Readable(string name)
    {
        StringBuilder text = new(name.Length);
        for (int i = 0; i < name.Length; i++)
        {
            if (name[i] == '`')
            {
                while (i + 1 < name.Length && (name[i + 1] == '`' || char.IsAsciiDigit(name[i + 1])))
                {
                    i++;
                }
            }
            else
            {
                text.Append(name[i]);
            }
        }

        return text.ToString();
    }

    /// <summary>The member as C# would write it: <c>BitArray.CopyTo(Array array, int index)</c>.</summary>
    /// <param name="parameterNames">Names of the parameters, as far as they are documented.</param>
    /// <param name="typeParameters">Names of the type's type parameters.</param>
    /// <param name="methodTypeParameters">Names of the method's own type parameters.</param>
    public string Signature(
        IReadOnlyList<string> parameterNames,
        IReadOnlyList<string> typeParameters,
        IReadOnlyList<string> methodTypeParameters
    )
    {
        string type = Readable(TypeName).Split('.')[^1];
        string name = Readable(_member);
        if (name is "#ctor" or "#cctor")
        {
            name = type;
        }
        else
        {
            // An explicit implementation writes the interface's dots as '#', and its generic arguments in braces.
            string[] parts = name.Split('{')[0].Split('#');
            name = $"{type}.{string.Join('.', parts.TakeLast(2))}";
            if (_member.StartsWith("op_", StringComparison.Ordinal))
            {
                name = $"{type} operator {Readable(_member)[3..]}";
            }
        }

        if (_kind != 'M' && _parameters.Length == 0)
        {
            return name;
        }

        StringBuilder text = new(name);
        if (_member.Contains("``", StringComparison.Ordinal) && methodTypeParameters.Count > 0)
        {
            text.Append('<').AppendJoin(", ", methodTypeParameters).Append('>');
        }

        text.Append(_kind == 'M' ? '(' : '[');
        int index = 0;
        foreach (string parameter in SplitTopLevel(_parameters))
        {
            if (index > 0)
            {
                text.Append(", ");
            }

            text.Append(TypeText(parameter, typeParameters, methodTypeParameters));
            if (index < parameterNames.Count)
            {
                text.Append(' ').Append(parameterNames[index]);
            }

            index++;
        }

        return text.Append(_kind == 'M' ? ')' : ']').ToString();
    }

    private static string TypeText(
        string id,
        IReadOnlyList<string> typeParameters,
        IReadOnlyList<string> methodTypeParameters
    )
    {
        if (id.EndsWith('@'))
        {
            return "ref " + TypeText(id[..^1], typeParameters, methodTypeParameters);
        }

        if (id.EndsWith('*'))
        {
            return TypeText(id[..^1], typeParameters, methodTypeParameters) + "*";
        }

        if (id.EndsWith(']'))
        {
            int open = id.LastIndexOf('[');
            return TypeText(id[..Math.Max(open, 0)], typeParameters, methodTypeParameters)
                + "["
                + new string(',', id.AsSpan(Math.Max(open, 0)).Count(','))
                + "]";
        }

        if (id.StartsWith('`'))
        {
            bool isOfMethod = id.StartsWith("``", StringComparison.Ordinal);
            IReadOnlyList<string> names = isOfMethod ? methodTypeParameters : typeParameters;
            if (
                int.TryParse(id.AsSpan().TrimStart('`'), NumberStyles.None, CultureInfo.InvariantCulture, out int index)
                && index < names.Count
            )
            {
                return names[index];
            }

            return "T";
        }

        int brace = id.IndexOf('{', StringComparison.Ordinal);
        string name = id.Split('{')[0];
        string plain = Keywords.GetValueOrDefault(name) ?? Readable(name).Split('.')[^1];
        if (brace < 0)
        {
            return plain;
        }

        int close = id.LastIndexOf('}');
        string inner = close > brace ? id[(brace + 1)..close] : "";
        IEnumerable<string> arguments = SplitTopLevel(inner)
            .Select(part => TypeText(part, typeParameters, methodTypeParameters));
        return $"{plain}<{string.Join(", ", arguments)}>";
    }

    // At commas outside braces and brackets.
    private static List<string> SplitTopLevel(string list)
    {
        List<string> parts = [];
        int depth = 0;
        int start = 0;
        for (int i = 0; i < list.Length; i++)
        {
            if (list[i] is '{' or '[' or '(')
            {
                depth++;
            }
            else if (list[i] is '}' or ']' or ')')
            {
                depth--;
            }

            if (list[i] == ',' && depth == 0)
            {
                parts.Add(list[start..i]);
                start = i + 1;
            }
        }

        if (start < list.Length)
        {
            parts.Add(list[start..]);
        }

        return parts;
    }
}
