using System.Globalization;
using Saltern.Models;

namespace Saltern.Runs;

/// <summary>Limits of the system that a run would meet for certain, found before it begins.</summary>
internal static class RunLimits
{
    private const double GiB = 1L << 30;

    /// <summary>Makes sure that a file may hold the weights, and memory the weights and their gradients.</summary>
    /// <param name="model">The largest shape of the run.</param>
    /// <param name="onCpu">Whether they are in the machine's own memory.</param>
    /// <param name="fileBytes">Most bytes of a file; null without a limit.</param>
    /// <param name="memory">Most bytes of memory, and what says so.</param>
    /// <exception cref="ConfigurationException">They may not.</exception>
    public static void Require(TransformerConfig model, bool onCpu, long? fileBytes, (long Bytes, string What) memory)
    {
        long parameters = ModelFlops.Parameters(model);
        long weights = parameters * sizeof(float);
        List<string> problems = [];
        if (fileBytes < weights)
        {
            problems.Add(
                $"A checkpoint's model.safetensors takes {weights:N0} bytes, and a file of this process may have "
                    + $"{fileBytes:N0} at most. Raise the limit (ulimit -f)."
            );
        }

        if (onCpu && memory.Bytes < 2 * weights)
        {
            problems.Add(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"The model's {parameters:N0} weights and their gradients alone take {2 * weights / GiB:0.0} GiB, "
                        + $"and this process may have "
                        + $"{memory.Bytes / GiB:0.0} GiB ({memory.What}). "
                        + $"Raise the limit or make the model smaller; 'saltern plan' reckons the rest."
                )
            );
        }

        if (problems.Count > 0)
        {
            throw new ConfigurationException(problems);
        }
    }
}
