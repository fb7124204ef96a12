using System.Text;

namespace Saltern.Corpora;

/// <summary>Gives text as UTF-8 whatever it is stored in: a byte order mark decides, then the encoding that was named, else it is UTF-8.</summary>
/// <remarks>The UTF-8 itself is not checked here, so that one broken record does not cost a file.</remarks>
internal static class TextDecoding
{
    private const int MarkBytes = 4;

    // The longer mark first: UTF-32's little-endian one begins with UTF-16's.
    private static readonly (byte[] Mark, Encoding Encoding)[] Marks =
    [
        ([0xFF, 0xFE, 0, 0], new UTF32Encoding(bigEndian: false, byteOrderMark: false, throwOnInvalidCharacters: true)),
        ([0, 0, 0xFE, 0xFF], new UTF32Encoding(bigEndian: true, byteOrderMark: false, throwOnInvalidCharacters: true)),
        ([0xEF, 0xBB, 0xBF], Encoding.UTF8),
        ([0xFF, 0xFE], new UnicodeEncoding(bigEndian: false, byteOrderMark: false, throwOnInvalidBytes: true)),
        ([0xFE, 0xFF], new UnicodeEncoding(bigEndian: true, byteOrderMark: false, throwOnInvalidBytes: true)),
    ];

    /// <summary>The encoding of a name, as IANA and .NET know it; null where there is none.</summary>
    public static Encoding? Named(string name)
    {
        Encoding.RegisterProvider(CodePagesEncodingProvider.Instance);
        try
        {
            return Encoding.GetEncoding(name, EncoderFallback.ExceptionFallback, DecoderFallback.ExceptionFallback);
        }
        catch (ArgumentException)
        {
            return null;
        }
    }

    /// <summary>What is wrong with the name of an encoding; null where nothing is.</summary>
    public static string? ProblemOf(string name)
    {
        if (Named(name) is not null)
        {
            return null;
        }

        return $"= {name} is not known. Use an IANA name such as utf-8, utf-16le, windows-1252, iso-8859-1 or gb18030.";
    }

    /// <summary>Opens text as UTF-8 without a byte order mark.</summary>
    /// <param name="stored">The text as it is stored, decompressed; closed with the stream returned.</param>
    /// <param name="encoding">Name of its encoding where no mark says it; null for UTF-8.</param>
    public static Stream Open(Stream stored, string? encoding)
    {
        PrefixedStream text = PrefixedStream.Peek(stored, MarkBytes);
        Encoding stands = encoding is null ? Encoding.UTF8 : Named(encoding)!;
        foreach ((byte[] mark, Encoding marked) in Marks)
        {
            if (text.Head.StartsWith(mark))
            {
                stands = marked;
                text.Skip(mark.Length);
                break;
            }
        }

        if (stands.CodePage == Encoding.UTF8.CodePage)
        {
            return text;
        }

        return new DecodedStream(
            Encoding.CreateTranscodingStream(text, stands, new UTF8Encoding(false)),
            stands.WebName
        );
    }

    /// <summary>Says by its own exception that the bytes are not of the encoding.</summary>
    private sealed class DecodedStream(Stream text, string encoding) : ForwardStream
    {
        public override int Read(Span<byte> buffer)
        {
            try
            {
                return text.Read(buffer);
            }
            catch (DecoderFallbackException e)
            {
                throw new UnreadableFileException(
                    $"holds bytes that are not {encoding}, as its byte order mark or --encoding says it is",
                    e
                );
            }
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing)
            {
                text.Dispose();
            }

            base.Dispose(disposing);
        }
    }
}

/// <summary>A file cannot be read, and the message says all about it: "holds …", "is …".</summary>
internal sealed class UnreadableFileException : IOException
{
    /// <summary>Creates the exception.</summary>
    public UnreadableFileException(string message)
        : base(message) { }

    /// <summary>Creates the exception with the error that caused it.</summary>
    public UnreadableFileException(string message, Exception innerException)
        : base(message, innerException) { }
}
