using Saltern.Files;

namespace Saltern.Cli.Terminal;

/// <summary>Runs a command's work and turns its end into messages and an exit code.</summary>
public static class CommandRunner
{
    /// <summary>Runs; errors that a user can put right are shown without a stack trace.</summary>
    /// <param name="json">Whether standard output is for JSON alone.</param>
    /// <param name="work">The command.</param>
    public static int Run(bool json, Func<Output, CancellationToken, int> work) => Run(new Output(json), work);

    /// <summary>As the other.</summary>
    /// <param name="output">Where words go.</param>
    /// <param name="work">The command.</param>
    /// <param name="doing">What one of several ranks is doing; null for a process that runs alone.</param>
    public static int Run(Output output, Func<Output, CancellationToken, int> work, Func<string>? doing = null)
    {
        if (OpenSsl.Missing is { } missing)
        {
            Console.Error.WriteLine(missing);
            return ExitCode.Failed;
        }

        using var interruption = new Interruption(doing);
        try
        {
            return work(output, interruption.Token);
        }
        catch (ConfigurationException e)
        {
            foreach (string problem in e.Problems)
            {
                Console.Error.WriteLine(Output.Error(problem));
            }

            return ExitCode.WrongUsage;
        }
        catch (SalternException e)
        {
            Console.Error.WriteLine(Output.Error(e.Message));
            return ExitCode.Failed;
        }
        catch (OperationCanceledException)
        {
            Console.Error.WriteLine("Interrupted.");
            return ExitCode.Interrupted;
        }
        catch (Exception e) when (SystemLimits.Refuses(e))
        {
            Console.Error.WriteLine(SystemLimits.Reason(e));
            return ExitCode.Failed;
        }
        catch (Exception e)
        {
            // Not the user's mistake: everything a report needs, and an exit code instead of an abort.
            Console.Error.WriteLine(
                $"This is a defect in Saltern. Please report it with these lines:{Environment.NewLine}{e}"
            );
            return ExitCode.Failed;
        }
    }
}
