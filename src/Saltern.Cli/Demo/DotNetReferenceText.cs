using System.Text;
using Saltern.Corpora;

namespace Saltern.Cli.Demo;

/// <summary>Real text that every machine with a .NET SDK has: the reference documentation of the platform, one document a type.</summary>
/// <remarks>
/// Read from <c>packs/*/*/ref/*/*.xml</c> below the SDK's root, the newest version of each pack. A document is the type's name and summary, then each
/// member's signature with its summary, parameters, result, exceptions and remarks as prose. A type that several packs describe is taken once, and
/// a sentence that occurs again anywhere is left out after its first time, so that no sentence of one document is in another
/// (held-out documents are then not in the training text). The result depends only on the files.
/// </remarks>
public static class DotNetReferenceText
{
    /// <summary>Documents of fewer bytes than this are dropped: little more than a name.</summary>
    public const int MinDocumentBytes = 256;

    // net10.0, netcoreapp3.1, netstandard2.1: what stands before the number.
    private static readonly char[] FrameworkLetters = [.. "abcdefghijklmnopqrstuvwxyz"];

    // The first prefix that fits decides. Eight domains of useful size that differ in words and style, rather than a hundred namespaces.
    private static readonly (string Prefix, string Domain)[] Domains =
    [
        ("System.Runtime.Intrinsics", "intrinsics"),
        ("System.Collections", "collections"),
        ("System.Linq", "collections"),
        ("System.Buffers", "collections"),
        ("System.IO", "text"),
        ("System.Text", "text"),
        ("System.Xml", "text"),
        ("System.Formats", "text"),
        ("System.Globalization", "text"),
        ("System.Net", "network"),
        ("System.Security", "network"),
        ("System.Data", "data"),
        ("System.ComponentModel", "data"),
        ("System.Drawing", "data"),
        ("System.Transactions", "data"),
        ("Microsoft.AspNetCore", "aspnetcore"),
        ("Microsoft", "extensions"),
        ("System", "system"),
    ];

    /// <summary>The first folder that holds reference documentation.</summary>
    /// <param name="dotnetRoot">A root that the caller knows of (<c>DOTNET_ROOT</c>), looked at first; may be <see langword="null"/>.</param>
    /// <returns>The root, or <see langword="null"/> where neither the given one nor that of the running runtime has the packs.</returns>
    public static string? FindSdkRoot(string? dotnetRoot = null)
    {
        // <root>/shared/Microsoft.NETCore.App/<version>/System.Private.CoreLib.dll; empty in a single-file program.
        string runtime = typeof(object).Assembly.Location;
        string? ofRuntime = null;
        if (Path.GetDirectoryName(runtime) is { Length: > 0 } folder)
        {
            ofRuntime = Path.GetFullPath(Path.Combine(folder, "..", "..", ".."));
        }

        foreach (string? root in (string?[])[dotnetRoot, ofRuntime])
        {
            if (!string.IsNullOrEmpty(root) && FindFiles(root).Count > 0)
            {
                return root;
            }
        }

        return null;
    }

    /// <summary>Reads the documents, in an order that depends only on the files.</summary>
    /// <param name="dotnetRoot">The folder with <c>packs</c>, as <see cref="FindSdkRoot"/> finds it.</param>
    /// <param name="cancellation">Ends the read.</param>
    /// <exception cref="DataFormatException">There is no documentation below the root, or a file is not well-formed.</exception>
    public static IReadOnlyList<TextDocument> Read(string dotnetRoot, CancellationToken cancellation = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(dotnetRoot);
        List<string> files = FindFiles(dotnetRoot);
        if (files.Count == 0)
        {
            throw new DataFormatException(
                $"'{dotnetRoot}' holds no reference documentation (packs/*/*/ref/*/*.xml). "
                    + "Give the folder of a .NET SDK, or text of your own."
            );
        }

        // Files are parsed side by side; what depends on order (first occurrence) comes after, in order.
        IReadOnlyList<DocumentedType>[] parsed = new IReadOnlyList<DocumentedType>[files.Count];
        try
        {
            Parallel.For(
                0,
                files.Count,
                new ParallelOptions { CancellationToken = cancellation },
                i => parsed[i] = DocumentationFile.Read(files[i])
            );
        }
        catch (AggregateException e) when (e.InnerExceptions[0] is DataFormatException first)
        {
            throw new DataFormatException(first.Message, e);
        }

        HashSet<string> seenTypes = new(StringComparer.Ordinal);
        RepeatedSentences repeated = new();
        List<TextDocument> documents = [];
        for (int i = 0; i < files.Count; i++)
        {
            foreach (DocumentedType type in parsed[i])
            {
                cancellation.ThrowIfCancellationRequested();
                if (DomainOf(type.Id) is not { } domain || !seenTypes.Add(type.Id))
                {
                    continue;
                }

                byte[] text = Encoding.UTF8.GetBytes(Write(type, repeated));
                if (text.Length >= MinDocumentBytes)
                {
                    documents.Add(new TextDocument(text, domain, files[i]));
                }
            }
        }

        return documents;
    }

    private static string Write(DocumentedType type, RepeatedSentences repeated)
    {
        StringBuilder text = new();
        text.Append(type.Name).Append('\n');
        foreach (DocumentedMember member in type.Members)
        {
            string body = string.Concat(
                member.Parts.Select(part =>
                    repeated.Remove(part) is { Length: > 0 } rest ? $"{part.Label}{rest}\n" : ""
                )
            );
            if (body.Length > 0)
            {
                text.Append('\n');
                if (member.Signature.Length > 0)
                {
                    string heading = repeated.Remove(new DocumentationPart("", [member.Signature], IsCode: true));
                    text.Append(heading).Append(heading.Length > 0 ? "\n" : "");
                }

                text.Append(body);
            }
        }

        return text.ToString();
    }

    // Null for what is not of the platform's own namespaces, such as generated interop types.
    private static string? DomainOf(string type)
    {
        foreach ((string prefix, string domain) in Domains)
        {
            if (
                type.StartsWith(prefix, StringComparison.Ordinal)
                && (type.Length == prefix.Length || type[prefix.Length] == '.')
            )
            {
                return domain;
            }
        }

        return null;
    }

    private static List<string> FindFiles(string root)
    {
        string packs = Path.Combine(root, "packs");
        if (!Directory.Exists(packs))
        {
            return [];
        }

        // The base pack first: others repeat its assemblies, and a file name seen before is the same documentation.
        List<string> files = [];
        HashSet<string> seen = new(StringComparer.Ordinal);
        foreach (
            string pack in Directory
                .GetDirectories(packs)
                .OrderBy(path => path.EndsWith("Microsoft.NETCore.App.Ref", StringComparison.Ordinal) ? 0 : 1)
                .ThenBy(Path.GetFileName, StringComparer.Ordinal)
        )
        {
            string? version = Newest(pack);
            if (version is null || Newest(Path.Combine(version, "ref")) is not { } framework)
            {
                continue;
            }

            foreach (string file in Directory.GetFiles(framework, "*.xml").Order(StringComparer.Ordinal))
            {
                if (seen.Add(Path.GetFileName(file)))
                {
                    files.Add(file);
                }
            }
        }

        return files;
    }

    // By number, so that 10.0.2 is newer than 9.0.11 and net10.0 than net9.0.
    private static string? Newest(string folder)
    {
        if (!Directory.Exists(folder))
        {
            return null;
        }

        return Directory
            .GetDirectories(folder)
            .OrderByDescending(VersionOf)
            .ThenByDescending(path => path, StringComparer.Ordinal)
            .FirstOrDefault();
    }

    private static Version VersionOf(string folder)
    {
        string number = Path.GetFileName(folder).Split('-')[0].TrimStart(FrameworkLetters);
        if (Version.TryParse(number, out Version? version))
        {
            return version;
        }

        return new Version();
    }
}
