namespace Saltern.Tests.Corpora;

/// <summary>Two lines of JSON, packed by other programs: {"text":"one"} and {"text":"two"}.</summary>
internal static class PublishedBytes
{
    /// <summary>Two streams with four bytes of padding between, by xz 5.4; the first has a CRC32, the second a CRC64 (72 bytes).</summary>
    public static readonly byte[] Xz = Convert.FromBase64String(
        "/Td6WFoAAAFpIt42AgAhARYAAAB0L+WjAQAOeyJ0ZXh0Ijoib25lIn0KAAACmnMgAAEjD9vfkA6QQpkNAQAAAAABWVoAAAAA/Td6WFoAAATm1rRGAgAhARYAAAB0L+Wj"
            + "AQAOeyJ0ZXh0IjoidHdvIn0KAAB0k34sL71awAABJw/fGvxqH7bzfQEAAAAABFla"
    );

    /// <summary>Two streams, by bzip2 1.0.8.</summary>
    public static readonly byte[] Bzip2 = Convert.FromBase64String(
        "QlpoOTFBWSZTWWZiHdoAAAbZgAAQEAAAEAIBhEogACIBiaEAMGtZKHY6DvxdyRThQkGZiHdoQlpoOTFBWSZTWerddfEAAAbZgAAQEAAAEAIAhMogACIGgeoQAwML3K4T"
            + "IF4u5IpwoSHVuuvi"
    );
}
