using System.Globalization;
using System.Text.RegularExpressions;

namespace Saltern.Devices;

/// <summary>What a PTX file says it needs.</summary>
/// <param name="Version">Of the PTX language, such as 7.8.</param>
/// <param name="Target">Compute capability that it was compiled for, such as 9.0 of <c>sm_90</c>.</param>
internal sealed partial record PtxHeader(Version Version, Version Target)
{
    /// <summary>Reads a file's text.</summary>
    /// <param name="name">For the message.</param>
    /// <exception cref="ConfigurationException">It is no PTX.</exception>
    public static PtxHeader Read(string text, string name)
    {
        Match version = VersionLine().Match(text);
        Match target = TargetLine().Match(text);
        if (!version.Success || !target.Success)
        {
            throw new ConfigurationException(
                $"{name} is no PTX: it has no .version and .target. Make the kernels again: build/kernels.sh."
            );
        }

        string digits = target.Groups[1].Value; // the last one is the minor
        return new PtxHeader(
            new Version(Number(version.Groups[1].Value), Number(version.Groups[2].Value)),
            new Version(Number(digits[..^1]), Number(digits[^1..]))
        );
    }

    /// <summary>Why a machine cannot run it, in a sentence; null where nothing is known against it.</summary>
    /// <param name="cuda">Version of CUDA that the driver knows, such as 12.4.</param>
    /// <param name="capability">Of the GPU.</param>
    /// <param name="gpu">Its name.</param>
    public string? Problem(Version cuda, Version capability, string gpu)
    {
        // PTX 7.n came with CUDA 11.n, PTX 8.0 with 12.0, 9.0 with 13.0; later 8.n not one to one, so the driver has the last word.
        var needed = new Version(Version.Major + 4, Version.Major == 7 ? Version.Minor : 0);
        if (cuda < needed)
        {
            return $"The NVIDIA driver knows CUDA {cuda}, and the kernels are PTX {Version}, which needs CUDA {needed} or later. "
                + "Install a newer driver, or leave the kernels out.";
        }

        if (capability < Target)
        {
            return $"{gpu} has compute capability {capability}, and the kernels are compiled for {Target} and later. "
                + "Take those of an older target, or leave the kernels out.";
        }

        return null;
    }

    private static int Number(string digits) => int.Parse(digits, CultureInfo.InvariantCulture);

    [GeneratedRegex(@"^\.version (\d+)\.(\d+)", RegexOptions.Multiline)]
    private static partial Regex VersionLine();

    [GeneratedRegex(@"^\.target sm_(\d{2,3})", RegexOptions.Multiline)]
    private static partial Regex TargetLine();
}
