using System.Security.Cryptography;
using Saltern.Checkpoints;

namespace Saltern.Teachers;

/// <summary>Which model a teacher is, whatever its folder is called.</summary>
public static class TeacherWeights
{
    /// <summary>SHA-256 of a model folder's weights file, with the prefix <c>sha256:</c>.</summary>
    public static string Fingerprint(string folder)
    {
        using FileStream file = File.OpenRead(Path.Combine(folder, ModelFolder.WeightsFile));
        return "sha256:" + Convert.ToHexStringLower(SHA256.HashData(file));
    }
}
