using Saltern.Benchmarks;

// One measurement a process: allocator, threads and memory marks are then nobody else's. Drivers start these and pair them (see README.md).
return args switch
{
    ["step", .. string[] rest] => StepWorker.Run(new Options(rest)),
    _ => Usage(),
};

static int Usage()
{
    Console.Error.WriteLine("usage: step --shape NAME --variant NAME [--kd] [--threads N] [--steps N] [--library blas|onednn|fastest]");
    return 2;
}
