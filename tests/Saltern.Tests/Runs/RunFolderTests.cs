using Saltern.Configuration;
using Saltern.RunFiles;
using Saltern.Runs;
using Saltern.Tests.Simulation;

namespace Saltern.Tests.Runs;

public sealed class RunFolderTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void WhatAKillLeftBeforeTheRecipeWasWhole_IsNoRunFolderToRefuse()
    {
        _folder.Write("run/recipe.yaml.writing", "half of a rec");
        _folder.Write("run/run.lock", "");
        using RunFolder run = RunFolder.Inspect(
            _folder["run"],
            SimulatedTraining.Recipe("run"),
            leads: true,
            resume: true,
            [],
            _ => { }
        );
        run.Claim(6, _ => { });
        Assert.Equal(["recipe.yaml", "run.lock"], Directory.GetFiles(_folder["run"]).Select(Path.GetFileName).Order());
    }

    [Fact]
    public void AChange_IsNotedOnce_ThoughTheRunWasKilledBeforeItsNewRecipeWasWritten()
    {
        RunConfig before = SimulatedTraining.Recipe("run");
        using (RunFolder run = RunFolder.Inspect(_folder["run"], before, leads: true, resume: true, [], _ => { }))
        {
            run.Claim(6, _ => { });
        }

        string recipe = File.ReadAllText(_folder["run/recipe.yaml"]);
        RunConfig after = before with { Seed = 6 };
        for (int life = 0; life < 2; life++)
        {
            File.WriteAllText(_folder["run/recipe.yaml"], recipe);
            using RunFolder run = RunFolder.Inspect(
                _folder["run"],
                after,
                leads: true,
                resume: true,
                [RecipeOverride.Parse("seed=6")],
                _ => { }
            );
            run.Claim(6, _ => { });
        }

        Assert.Equal("after step 0: ", Assert.Single(File.ReadAllLines(_folder["run/" + RunLayout.Changes]))[..14]);
    }
}
