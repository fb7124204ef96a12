using Saltern.Distributed;

namespace Saltern.Tests.Distributed;

public class LaunchedProcessTests
{
    [Theory]
    [InlineData("OMPI_COMM_WORLD_SIZE=4 OMPI_COMM_WORLD_RANK=3", LauncherKind.OpenMpi, 3, 4)]
    [InlineData("PMI_SIZE=2 PMI_RANK=1", LauncherKind.Mpich, 1, 2)]
    [InlineData("SLURM_STEP_NUM_TASKS=8 SLURM_PROCID=5 SLURM_NTASKS=8", LauncherKind.Slurm, 5, 8)]
    [InlineData("SLURM_STEP_NUM_TASKS=8 SLURM_PROCID=5 PMI_SIZE=8 PMI_RANK=5", LauncherKind.Slurm, 5, 8)]
    [InlineData(
        "SLURM_STEP_NUM_TASKS=1 SLURM_PROCID=0 OMPI_COMM_WORLD_SIZE=4 OMPI_COMM_WORLD_RANK=2",
        LauncherKind.OpenMpi,
        2,
        4
    )]
    [InlineData("SLURM_NTASKS=8 SLURM_PROCID=0", LauncherKind.None, 0, 1)] // the batch script itself
    [InlineData("OMPI_COMM_WORLD_SIZE=many OMPI_COMM_WORLD_RANK=0", LauncherKind.None, 0, 1)]
    [InlineData("", LauncherKind.None, 0, 1)]
    public void TheLaunchersVariables_SayWhichProcessThisIs(string environment, Enum launcher, int rank, int size)
    {
        Dictionary<string, string> variables = environment
            .Split(' ', StringSplitOptions.RemoveEmptyEntries)
            .Select(pair => pair.Split('='))
            .ToDictionary(pair => pair[0], pair => pair[1]);
        Assert.Equal(
            new LaunchedProcess((LauncherKind)launcher, rank, size),
            LaunchedProcess.Read(name => variables.GetValueOrDefault(name))
        );
    }

    [Fact]
    public void ALibraryThatIsNotThere_IsNamed()
    {
        string message = Assert
            .Throws<ConfigurationException>(() =>
                MpiLibrary.Load(new LaunchedProcess(LauncherKind.OpenMpi, 0, 2), "/nowhere/libmpi.so")
            )
            .Message;
        Assert.Contains("SALTERN_MPI_LIBRARY = /nowhere/libmpi.so cannot be loaded", message, StringComparison.Ordinal);
        message = Assert
            .Throws<ConfigurationException>(() =>
                MpiLibrary.Load(new LaunchedProcess(LauncherKind.OpenMpi, 0, 2), "libc.so.6")
            )
            .Message;
        Assert.Contains("is not an MPI library", message, StringComparison.Ordinal);
    }
}
