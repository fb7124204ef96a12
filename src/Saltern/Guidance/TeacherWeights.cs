using System.Security.Cryptography;
using Saltern.Files;
using Saltern.ModelFiles;

namespace Saltern.Guidance;

/// <summary>Which model a teacher is, whatever its folder is called.</summary>
internal static class TeacherWeights
{
    /// <summary>SHA-256 of a model folder's weights, one file after the other, with the prefix <c>sha256:</c>.</summary>
    public static Fingerprint Fingerprint(string folder)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        byte[] buffer = new byte[1 << 20];
        foreach (string path in WeightFiles.Paths(folder))
        {
            using FileStream file = File.OpenRead(path);
            while (file.Read(buffer) is > 0 and int read)
            {
                hash.AppendData(buffer.AsSpan(0, read));
            }
        }

        return Files.Fingerprint.Of(hash);
    }
}
