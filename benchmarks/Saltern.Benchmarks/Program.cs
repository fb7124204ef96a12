using Saltern.Benchmarks;

// Drivers (steps, parts, threads, precision, salt, families, scaling, import) start workers (the rest) in processes of their own and pair them; stalls is one run; see ../README.md.
return args switch
{
    ["steps", .. string[] rest] => StepComparison.Run(new Options(rest)),
    ["parts", .. string[] rest] => PartComparison.Parts(new Options(rest)),
    ["threads", .. string[] rest] => PartComparison.Threads(new Options(rest)),
    ["precision", .. string[] rest] => PrecisionComparison.Run(new Options(rest)),
    ["salt", .. string[] rest] => PartComparison.Salt(new Options(rest)),
    ["families", .. string[] rest] => FamilyComparison.Run(new Options(rest)),
    ["scaling", .. string[] rest] => Scaling.Run(new Options(rest)),
    ["stalls", .. string[] rest] => Stalls.Run(new Options(rest)),
    ["import", .. string[] rest] => ImportComparison.Run(new Options(rest)),
    ["step", .. string[] rest] => StepWorker.Run(new Options(rest)),
    ["peak", .. string[] rest] => PartWorkers.Peak(new Options(rest)),
    ["head", .. string[] rest] => PartWorkers.Head(new Options(rest)),
    ["attention", .. string[] rest] => PartWorkers.Attention(new Options(rest)),
    ["optimizer", .. string[] rest] => PartWorkers.Optimizer(new Options(rest)),
    ["random-model", .. string[] rest] => ImportWorkers.RandomModel(new Options(rest)),
    ["import-model", .. string[] rest] => ImportWorkers.Import(new Options(rest)),
    ["export-model", .. string[] rest] => ImportWorkers.Export(new Options(rest)),
    ["load-model", .. string[] rest] => ImportWorkers.Load(new Options(rest)),
    ["spin"] => PartWorkers.Spin(),
    _ => Usage(),
};

static int Usage()
{
    Console.Error.WriteLine(
        "usage: steps | parts | threads | precision | salt | families | scaling | stalls | import [--name value …]; "
            + "benchmarks/README.md says what each does."
    );
    return 2;
}
