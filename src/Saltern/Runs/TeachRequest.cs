using Saltern.Batches;
using Saltern.Guidance;
using Saltern.Numerics;

namespace Saltern.Runs;

/// <summary>What a teacher pass is asked for.</summary>
public sealed record TeachRequest
{
    /// <summary>Most tokens that a position keeps: beyond that whole distributions would be smaller.</summary>
    internal const int MostKept = 4_096;

    /// <summary>The teacher: run folder, checkpoint folder or Hugging Face folder; empty where <see cref="Endpoint"/> names one.</summary>
    public string Teacher { get; init; } = "";

    /// <summary>Address of a server with OpenAI's API whose model is the teacher; null for <see cref="Teacher"/>. The likeliest tokens alone can be had from it (<see cref="CacheMode.TopK"/>), at τ = 1.</summary>
    public string? Endpoint { get; init; }

    /// <summary>Name of the model there; null where it is the only one.</summary>
    public string? EndpointModel { get; init; }

    /// <summary>Key that the server wants to be shown; null for none.</summary>
    public string? EndpointKey { get; init; }

    /// <summary>Keys of its config.json that need not be understood, those inside others with dots; null for the recipe's.</summary>
    public IReadOnlyList<string>? IgnoreKeys { get; init; }

    /// <summary>The recipe whose samples are gone over; null where <see cref="DataPath"/> names a data set.</summary>
    public RunConfig? Recipe { get; init; }

    /// <summary>Data set folder; all its samples are gone over, causal and without masks.</summary>
    public string? DataPath { get; init; }

    /// <summary>T, with <see cref="DataPath"/>.</summary>
    public int? SequenceLength { get; init; }

    /// <summary>Whether only the samples are gone over that the recipe's stage 1 can draw.</summary>
    public bool Stage1Only { get; init; }

    /// <summary>Folder to write.</summary>
    public required string Out { get; init; }

    /// <summary>What is stored of the distributions.</summary>
    public CacheMode Mode { get; init; }

    /// <summary>Draws of each position; null for what the byte budget allows.</summary>
    public int? Draws { get; init; }

    /// <summary>How they are drawn.</summary>
    public DrawKind Sampling { get; init; }

    /// <summary>Seed of the draws.</summary>
    public long DrawSeed { get; init; }

    /// <summary>Tokens kept of each position (top_k); null for what the byte budget allows.</summary>
    public int? Kept { get; init; }

    /// <summary>τ; null for the recipe's, or 1.</summary>
    public double? Temperature { get; init; }

    /// <summary>Bytes for each position on average; null for 40 up to a vocabulary of 65,536, 64 above.</summary>
    public double? BytesPerPosition { get; init; }

    /// <summary>Where the teacher computes. Its files are the same to rounding wherever that is.</summary>
    public ComputeDevice Device { get; init; }

    /// <summary>Type of the teacher's products; null for the recipe's <c>teacher.precision</c>, else its <c>precision</c>, else fp32.</summary>
    public ComputePrecision? Precision { get; init; }

    /// <summary>Threads to compute with.</summary>
    public required int Threads { get; init; }

    /// <summary>Refuses what contradicts itself.</summary>
    /// <exception cref="ConfigurationException">Every problem found.</exception>
    internal void Validate()
    {
        List<string> problems = [];
        if (Teacher.Length > 0 == Endpoint is not null)
        {
            problems.Add("Give either --teacher FOLDER or --endpoint URL.");
        }

        if (EndpointModel is not null && Endpoint is null)
        {
            problems.Add($"--model = {EndpointModel} names a model of a server, and goes with --endpoint.");
        }

        if (Endpoint is not null)
        {
            problems.AddRange(EndpointProblems());
        }

        if (Recipe is null == DataPath is null)
        {
            problems.Add("Give either --recipe RECIPE, or --data DATA with --sequence-length N.");
        }

        if (DataPath is not null && SequenceLength is not (>= 8 and <= 1_048_576))
        {
            problems.Add($"--sequence-length = {SequenceLength} must be 8 to 1048576 with --data.");
        }

        if (Stage1Only && Recipe is not { Distils: true })
        {
            problems.Add(
                "--stage1-only needs a --recipe with distillation: its transition says what stage 1 can draw."
            );
        }

        if (Temperature is double temperature && Recipe?.Teacher is { } teacher && teacher.Temperature != temperature)
        {
            problems.Add(
                $"--temperature = {temperature}, but the recipe's teacher.temperature is {teacher.Temperature}. "
                    + "Leave the option out, or change the recipe."
            );
        }

        if (Temperature is not (null or (>= 0.01 and <= 100)))
        {
            problems.Add($"--temperature = {Temperature} must be in [0.01, 100].");
        }

        if (Draws is not (null or (>= 1 and <= TargetDraws.Most)) || (Draws is not null && Mode != CacheMode.Sampled))
        {
            problems.Add($"--draws = {Draws} must be 1 to {TargetDraws.Most}, and goes with --mode sampled.");
        }

        if (Kept is not (null or (>= 1 and <= MostKept)) || (Kept is not null && Mode != CacheMode.TopK))
        {
            problems.Add($"--keep = {Kept} must be 1 to {MostKept}, and goes with --mode top_k.");
        }

        if (BytesPerPosition is not (null or (>= 12 and <= 10_000)))
        {
            problems.Add($"--bytes = {BytesPerPosition} must be 12 to 10000.");
        }

        if (problems.Count > 0)
        {
            throw new ConfigurationException(problems);
        }
    }

    // A server gives the likeliest tokens after a text, at its own temperature, and knows nothing of our samples.
    private IEnumerable<string> EndpointProblems()
    {
        if (Mode != CacheMode.TopK)
        {
            yield return "--endpoint goes with --mode top_k: draws and scores need every probability, and a server names the likeliest.";
        }

        double temperature = Temperature ?? Recipe?.Teacher?.Temperature ?? 1;
        if (temperature != 1)
        {
            yield return $"--endpoint gives probabilities at a temperature of 1, and {temperature} is asked for "
                + "(--temperature, or the recipe's teacher.temperature). Use 1, or --teacher.";
        }

        if (Recipe is { Data.MaskDocuments: true } or { Data.Packing: not PackingKind.Stream })
        {
            yield return "--endpoint: in the recipe's samples documents do not see each other (data.mask_documents, data.packing), "
                + "and a server lets every token see all before it. Leave these keys out, or use --teacher.";
        }

        if (Recipe?.Objective is not null)
        {
            yield return "--endpoint: the recipe mixes objectives, and a server predicts the next token alone. Use --teacher.";
        }
    }
}
