using Saltern.Benchmarks.Data;

// dotnet run -c Release --project benchmarks/Saltern.Benchmarks.Data -- encode TEXT…      tokens per second beside Microsoft.ML.Tokenizers
// dotnet run -c Release --project benchmarks/Saltern.Benchmarks.Data -- prepare TEXT…     speed and memory of prepare at 10 MB and 1 GB
// Both write benchmarks/results/<processor>/<name>.md below the current folder.
return args switch
{
    ["encode", .. { Length: > 0 } text] => EncodeBenchmark.Run(text),
    ["prepare", .. { Length: > 0 } text] => PrepareBenchmark.Run(text),
    ["prepare-one", var corpus, var tokenizer, var folder, var threads] => PrepareBenchmark.RunOne(
        corpus,
        tokenizer,
        folder,
        int.Parse(threads, System.Globalization.CultureInfo.InvariantCulture)
    ),
    _ => Usage(),
};

static int Usage()
{
    Console.Error.WriteLine("encode TEXT… or prepare TEXT…; TEXT is a file, folder or glob");
    return 2;
}
