using System.Security.Cryptography;
using System.Text;
using Saltern.Files;

namespace Saltern.Tokenization;

/// <summary>Names a tokenizer by its content, so that data and models made with different ones are told apart.</summary>
internal static class TokenizerFingerprint
{
    private const string Version = "saltern-bpe-1";
    private const string CharacterVersion = "saltern-characters-1";
    private const string UnigramVersion = "saltern-unigram-1";

    /// <summary>Hashes all that decides ids, in one canonical order: not the file's layout, nor anything that ids do not depend on.</summary>
    public static Fingerprint Of(TokenizerDefinition definition)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Append(hash, Encoding.UTF8.GetBytes(VersionOf(definition.Model)));
        var composesAlone = definition.Normalizers is [UnicodeFormNormalizer { Form: UnicodeForm.NFC }];
        Append(hash, composesAlone);
        Append(hash, definition.IgnoresMergesOfWholeWords);

        Append(hash, definition.PreTokenizer.Rules.Count);
        foreach (var rule in definition.PreTokenizer.Rules)
        {
            Append(hash, Encoding.UTF8.GetBytes(rule.Identity));
        }

        Append(hash, definition.Tokens.Count);
        foreach (var token in definition.Tokens)
        {
            Append(hash, KindOf(token));
            Append(hash, token?.Bytes ?? []);
            if (token?.Written is { } spelling)
            {
                Append(hash, Encoding.UTF8.GetBytes(spelling));
            }
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
            Append(hash, token.IsSpecial);
            Append(hash, token.IsNormalized);
        }

        // What came to be honoured later is hashed only where a file uses it: fingerprints in old data sets and checkpoints stay good.
        foreach (var token in definition.AddedTokens.Where(token => !token.IsPlain))
        {
            Append(hash, "flags"u8);
            Append(hash, token.Id);
            Append(hash, FlagsOf(token));
        }

        if (!composesAlone)
        {
            foreach (var step in definition.Normalizers)
            {
                Append(hash, "normalizer"u8);
                Append(hash, Encoding.UTF8.GetBytes(step.Identity));
            }
        }

        foreach (var score in definition.Scores)
        {
            Append(hash, BitConverter.GetBytes(score));
        }

        bool hasUncovered = definition.Model != TokenModel.ByteLevelBpe || definition.SingleByteIds().Contains(-1);
        if (hasUncovered && definition.FallsBackToBytes)
        {
            Append(hash, "bytes"u8);
        }

        if (hasUncovered && definition.Unknown.Id is { } unknown)
        {
            Append(hash, "unknown"u8);
            Append(hash, unknown);
            Append(hash, definition.Unknown.Fuses);
        }

        foreach (var id in definition.BeforeText)
        {
            Append(hash, "before"u8);
            Append(hash, id);
        }

        return Fingerprint.Of(hash);
    }

    private static string VersionOf(TokenModel model) =>
        model switch
        {
            TokenModel.CharacterBpe => CharacterVersion,
            TokenModel.Unigram => UnigramVersion,
            _ => Version,
        };

    private static int KindOf(VocabularyEntry? token)
    {
        if (token is null)
        {
            return 0;
        }

        return token.Value.IsLiteral ? 2 : 1;
    }

    private static int FlagsOf(AddedToken token) =>
        Convert.ToInt32(token.IsSingleWord)
        + (2 * Convert.ToInt32(token.TakesBlanksBefore))
        + (4 * Convert.ToInt32(token.TakesBlanksAfter));

    private static void Append(IncrementalHash hash, bool value) => Append(hash, Convert.ToInt32(value));

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
