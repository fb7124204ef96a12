return Saltern.Cli.CommandLine.Run(args);
