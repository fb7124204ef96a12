using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Saltern.Hosting;
using Saltern.RunFiles;
using Saltern.Runs;

namespace Saltern.Samples;

/// <summary>Training as a worker service: the host's logger, its dependency injection, and its end, which leaves a checkpoint to go on from.</summary>
internal static class TrainInAHost
{
    public static void Run(string folder)
    {
        HostApplicationBuilder builder = Host.CreateApplicationBuilder();
        builder.Services.AddSingleton(new TrainingJob(SampleRecipes.Baseline(folder), $"{folder}/hosted"));
        builder.Services.AddHostedService<TrainingService>();
        using IHost host = builder.Build();
        host.Run();
    }
}

/// <summary>What is to be trained.</summary>
internal sealed record TrainingJob(RunConfig Recipe, string Folder);

/// <summary>Trains, and then stops the host.</summary>
internal sealed partial class TrainingService(
    TrainingJob job,
    ILogger<TrainingService> logger,
    IHostApplicationLifetime lifetime
) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        RunRecord run = await Salt.TrainAsync(
            job.Recipe,
            job.Folder,
            new TrainOptions { Logger = logger },
            stoppingToken
        );
        Trained(run.Result.Final!.Loss);
        lifetime.StopApplication();
    }

    [LoggerMessage(EventId = 1, Level = LogLevel.Information, Message = "hosted: {Loss:0.000} nats per token")]
    private partial void Trained(double loss);
}
