using System.Security.Cryptography;
using Saltern.Files;

namespace Saltern.Tests.Files;

public sealed class FingerprintTests
{
    // FIPS 180-2, appendix B.1: the SHA-256 of "abc".
    private const string OfAbc = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    [Fact]
    public void Of_IsThePublishedHashInLowerCase()
    {
        Assert.Equal(OfAbc, Fingerprint.Of("abc").ToString());
        Assert.Equal(OfAbc, Fingerprint.Of("abc"u8).ToString());
    }

    [Fact]
    public void Of_AHashOfParts_IsThatOfTheWhole()
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData("a"u8);
        hash.AppendData("bc"u8);

        Assert.Equal(Fingerprint.Of("abc"), Fingerprint.Of(hash));
    }

    [Fact]
    public void Fingerprint_IsComparedWithAClaimAsText()
    {
        Assert.True(Fingerprint.Of("abc") == OfAbc);
        Assert.True(Fingerprint.Of("abd") != OfAbc);
        Assert.Equal("", default(Fingerprint).ToString());
    }
}
