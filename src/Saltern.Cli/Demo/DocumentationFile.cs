using System.Xml;
using System.Xml.Linq;
using Saltern.Corpora;

namespace Saltern.Cli.Demo;

/// <summary>A type with its documented members; the first of them is the type itself, without a signature.</summary>
/// <param name="Id">The name in documentation ids, <c>System.Action`2</c>.</param>
/// <param name="Name">The name as C# writes it, <c>System.Action&lt;T1, T2&gt;</c>.</param>
/// <param name="Members">The type, then its members, in the order of the file.</param>
internal sealed record DocumentedType(string Id, string Name, IReadOnlyList<DocumentedMember> Members);

/// <summary>A member's signature and the parts of its documentation.</summary>
internal sealed record DocumentedMember(string Signature, IReadOnlyList<DocumentationPart> Parts);

/// <summary>A paragraph of documentation, in sentences.</summary>
/// <param name="Label">What stands before it, such as <c>Returns: </c>.</param>
/// <param name="Sentences">The sentences, or one block of code.</param>
/// <param name="IsCode">Whether it is code, whose line breaks matter.</param>
internal sealed record DocumentationPart(string Label, IReadOnlyList<string> Sentences, bool IsCode = false);

/// <summary>Reads one XML documentation file of the compiler.</summary>
internal static class DocumentationFile
{
    /// <summary>The types in the file, in its order.</summary>
    /// <exception cref="DataFormatException">The file cannot be read or is not well-formed.</exception>
    public static IReadOnlyList<DocumentedType> Read(string path)
    {
        Dictionary<string, (DocumentedType Type, IReadOnlyList<string> TypeParameters)> types = new(
            StringComparer.Ordinal
        );
        List<DocumentedType> order = [];
        try
        {
            // No DTD, no resolver: nothing outside the file is ever touched.
            using XmlReader reader = XmlReader.Create(
                path,
                new XmlReaderSettings { DtdProcessing = DtdProcessing.Prohibit, XmlResolver = null }
            );
            bool more = reader.ReadToFollowing("member");
            while (more)
            {
                XElement element = (XElement)XNode.ReadFrom(reader);
                if (MemberId.TryParse((string?)element.Attribute("name")) is { } id)
                {
                    Add(id, element);
                }

                more = reader is { NodeType: XmlNodeType.Element, Name: "member" } || reader.ReadToFollowing("member");
            }
        }
        catch (Exception e) when (e is XmlException or IOException or UnauthorizedAccessException)
        {
            throw new DataFormatException(
                $"'{path}' is not readable XML documentation: {e.Message} Repair the SDK, or give text of your own.",
                e
            );
        }

        return order;

        void Add(MemberId id, XElement element)
        {
            if (!types.TryGetValue(id.TypeName, out var entry))
            {
                IReadOnlyList<string> typeParameters = id.IsType ? Names(element, "typeparam") : [];
                string suffix = typeParameters.Count == 0 ? "" : $"<{string.Join(", ", typeParameters)}>";
                DocumentedType type = new(
                    id.TypeName,
                    MemberId.Readable(id.TypeName) + suffix,
                    new List<DocumentedMember>()
                );
                entry = (type, typeParameters);
                types.Add(id.TypeName, entry);
                order.Add(type);
            }

            string signature = id.IsType
                ? ""
                : id.Signature(Names(element, "param"), entry.TypeParameters, Names(element, "typeparam"));
            ((List<DocumentedMember>)entry.Type.Members).Add(
                new DocumentedMember(signature, DocumentationText.Parts(element))
            );
        }
    }

    private static IReadOnlyList<string> Names(XElement element, string kind) =>
        [.. element.Elements(kind).Select(parameter => (string?)parameter.Attribute("name") ?? "")];
}
