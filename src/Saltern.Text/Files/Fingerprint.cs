using System.Security.Cryptography;
using System.Text;

namespace Saltern.Files;

/// <summary>Stands for content by its SHA-256: <c>sha256:</c> and 64 lower-case hexadecimal digits.</summary>
/// <remarks>Made from content alone. What a file claims stays the text that it holds, and is compared with one of these: so a claim of any form can be shown as it stands.</remarks>
internal readonly record struct Fingerprint
{
    private const string Prefix = "sha256:";

    private readonly string? _text;

    private Fingerprint(ReadOnlySpan<byte> sha256) => _text = Prefix + Convert.ToHexStringLower(sha256);

    /// <summary>The fingerprint of bytes.</summary>
    public static Fingerprint Of(ReadOnlySpan<byte> content) => new(SHA256.HashData(content));

    /// <summary>The fingerprint of a text's UTF-8 bytes.</summary>
    public static Fingerprint Of(string text) => Of(Encoding.UTF8.GetBytes(text));

    /// <summary>The fingerprint of all that a SHA-256 was given; it begins anew.</summary>
    internal static Fingerprint Of(IncrementalHash hash) => new(hash.GetHashAndReset());

    /// <summary>The text, as files and messages show it; empty for the default value, which stands for nothing.</summary>
    public override string ToString() => _text ?? "";

    /// <summary>As <see cref="ToString"/>.</summary>
    public static implicit operator string(Fingerprint fingerprint) => fingerprint.ToString();
}
