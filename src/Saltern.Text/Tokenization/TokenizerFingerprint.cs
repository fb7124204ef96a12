using System.Security.Cryptography;
using System.Text;

namespace Saltern.Tokenization;

/// <summary>Names a tokenizer by its content, so that data and models made with different ones are told apart.</summary>
internal static class TokenizerFingerprint
{
    private const string Version = "saltern-bpe-1";

    /// <summary>Hashes all that decides ids, in one canonical order: not the file's layout, nor anything that ids do not depend on.</summary>
    /// <returns>"sha256:" and 64 hexadecimal digits.</returns>
    public static string Of(BpeDefinition definition)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Append(hash, Encoding.UTF8.GetBytes(Version));
        Append(hash, definition.ComposesText ? 1 : 0);
        Append(hash, definition.IgnoresMergesOfWholeWords ? 1 : 0);

        Append(hash, definition.PreTokenizer.Rules.Count);
        foreach (var rule in definition.PreTokenizer.Rules)
        {
            Append(hash, Encoding.UTF8.GetBytes(rule.Identity));
        }

        Append(hash, definition.Tokens.Count);
        foreach (var token in definition.Tokens)
        {
            Append(
                hash,
                token is null ? 0
                    : token.Value.IsLiteral ? 2
                    : 1
            );
            Append(hash, token?.Bytes ?? []);
        }

        Append(hash, definition.Merges.Count);
        foreach (var merge in definition.Merges)
        {
            Append(hash, merge.Left);
            Append(hash, merge.Right);
            Append(hash, merge.Result);
        }

        Append(hash, definition.AddedTokens.Count);
        foreach (var token in definition.AddedTokens)
        {
            Append(hash, token.Id);
            Append(hash, token.IsSpecial ? 1 : 0);
            Append(hash, token.IsNormalized ? 1 : 0);
        }

        // What came to be honoured later is hashed only where a file uses it: fingerprints in old data sets and checkpoints stay good.
        foreach (var token in definition.AddedTokens.Where(token => !token.IsPlain))
        {
            Append(hash, "flags"u8);
            Append(hash, token.Id);
            Append(
                hash,
                (token.IsSingleWord ? 1 : 0) + (token.TakesBlanksBefore ? 2 : 0) + (token.TakesBlanksAfter ? 4 : 0)
            );
        }

        foreach (var id in definition.BeforeText)
        {
            Append(hash, "before"u8);
            Append(hash, id);
        }

        return "sha256:" + Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    private static void Append(IncrementalHash hash, int value)
    {
        Span<byte> bytes = stackalloc byte[sizeof(int)];
        System.Buffers.Binary.BinaryPrimitives.WriteInt32LittleEndian(bytes, value);
        hash.AppendData(bytes);
    }

    private static void Append(IncrementalHash hash, ReadOnlySpan<byte> bytes)
    {
        // The length in front keeps "ab" + "c" apart from "a" + "bc".
        Append(hash, bytes.Length);
        hash.AppendData(bytes);
    }
}
