using System.Text;

namespace Saltern.Corpora;

/// <summary>One document of a corpus: its text as bytes, and where it came from.</summary>
/// <remarks>
/// The text is bytes, not a string, because tokens are made of bytes; documents from files are always valid UTF-8.
/// </remarks>
/// <param name="Utf8">The text in UTF-8, without a byte order mark; invalid sequences of text given by a program are kept as they are.</param>
/// <param name="Domain">The domain that the document's tokens and losses are counted under.</param>
/// <param name="Source">The file (or other origin) that the document was read from, for messages.</param>
/// <param name="Line">Line, record or row in the file, from 1; <see langword="null"/> where the document is a whole file or not from a file.</param>
public sealed record TextDocument(ReadOnlyMemory<byte> Utf8, string Domain, string Source, long? Line = null)
{
    /// <summary>Whether the record named the domain, rather than its file.</summary>
    internal bool NamesDomain { get; init; }

    /// <summary>Records or pieces of the file up to and with the document's; <see langword="null"/> where <see cref="Line"/> says it.</summary>
    internal long? Place { get; init; }

    /// <summary>The text as a string; invalid UTF-8 becomes U+FFFD. Decoded on every call.</summary>
    public string Text => Encoding.UTF8.GetString(Utf8.Span);

    /// <summary>Creates a document from a string.</summary>
    /// <param name="text">The text; a lone surrogate becomes U+FFFD.</param>
    /// <param name="domain">The document's domain.</param>
    /// <param name="source">Where the text comes from.</param>
    public static TextDocument FromText(string text, string domain, string source)
    {
        ArgumentNullException.ThrowIfNull(text);
        return new TextDocument(Encoding.UTF8.GetBytes(text), domain, source);
    }
}
