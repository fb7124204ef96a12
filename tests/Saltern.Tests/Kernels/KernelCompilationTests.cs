using System.Diagnostics;
using System.Text.RegularExpressions;

namespace Saltern.Tests.Kernels;

// What build/kernels.sh makes of the sources, where its compiler is. No driver has read it here.
public partial class KernelCompilationTests
{
    [Fact]
    public void EachKernel_IsAnEntryOfThePtx_ForEachArchitectureAndType()
    {
        Assert.SkipUnless(
            File.Exists("/usr/bin/clang-19") && File.Exists("/usr/lib/clc/nvptx64--nvidiacl.bc"),
            "Debian's clang-19 and libclc-19 are not installed, which compile the kernels for GPUs"
        );
        using var folder = new TemporaryFolder();
        var start = new ProcessStartInfo(
            "bash",
            [Path.Combine(RepositoryFolder.Path, "build", "kernels.sh"), folder.Path]
        )
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using Process process = Process.Start(start)!;
        string errors = process.StandardError.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, errors);

        string[] kernels = [.. Kernel().Matches(KernelSource.Text).Select(match => match.Groups[1].Value).Order()];
        Assert.True(kernels.Length >= 19, $"{kernels.Length} kernels were found in the sources.");
        foreach (string architecture in new[] { "sm_80", "sm_90" })
        {
            string[] texts =
            [
                .. new[] { "fp32", "bf16" }.Select(type =>
                    File.ReadAllText(folder[$"saltern-{architecture}-{type}.ptx"])
                ),
            ];
            Assert.All(
                texts,
                text =>
                {
                    Assert.Contains($"\n.target {architecture}\n", text, StringComparison.Ordinal);
                    Assert.DoesNotContain(".extern", text, StringComparison.Ordinal); // nothing is left to a library
                    Assert.Equal(kernels, Entry().Matches(text).Select(match => match.Groups[1].Value).Order());
                }
            );
            Assert.NotEqual(texts[0], texts[1]);
        }
    }

    [GeneratedRegex(@"^KERNEL void (\w+)\(", RegexOptions.Multiline)]
    private static partial Regex Kernel();

    [GeneratedRegex(@"\.visible \.entry (\w+)\(")]
    private static partial Regex Entry();
}
