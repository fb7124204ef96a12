using Saltern.Cli;
using Saltern.Cli.Terminal;

if (StartLimits.Refuse())
{
    return ExitCode.Failed;
}

StandardStreams.Guard(ClosedStreams.Find());
return StandardStreams.Judge(CommandLine.Run(args));
