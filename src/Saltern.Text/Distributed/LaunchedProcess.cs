using System.Globalization;

namespace Saltern.Distributed;

/// <summary>Who started this process as one of several.</summary>
internal enum LauncherKind
{
    /// <summary>Nobody: it runs alone.</summary>
    None,

    /// <summary>Open MPI's <c>mpirun</c>.</summary>
    OpenMpi,

    /// <summary><c>mpirun</c> or <c>mpiexec</c> of the MPICH family: MPICH, MVAPICH, Intel MPI (Hydra, PMI).</summary>
    Mpich,

    /// <summary>Slurm's <c>srun</c>, which works with libraries of either kind.</summary>
    Slurm,
}

/// <summary>What the launcher says of this process through environment variables, before any library is loaded.</summary>
/// <param name="Rank">Number of the process, from 0.</param>
/// <param name="Size">How many were started.</param>
internal sealed record LaunchedProcess(LauncherKind Kind, int Rank, int Size)
{
    // Of a step, not of the job: a batch script that starts the program without srun has SLURM_NTASKS too, and runs alone.
    private static readonly (LauncherKind Kind, string Rank, string Size)[] Variables =
    [
        (LauncherKind.OpenMpi, "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),
        (LauncherKind.Mpich, "PMI_RANK", "PMI_SIZE"),
        (LauncherKind.Slurm, "SLURM_PROCID", "SLURM_STEP_NUM_TASKS"),
    ];

    /// <summary>A process on its own.</summary>
    public static LaunchedProcess Alone { get; } = new(LauncherKind.None, 0, 1);

    /// <summary>What a person calls the launcher.</summary>
    public string LauncherName =>
        Kind switch
        {
            LauncherKind.OpenMpi => "mpirun of Open MPI",
            LauncherKind.Mpich => "mpirun of the MPICH family",
            LauncherKind.Slurm => "srun",
            _ => "nobody",
        };

    /// <summary>Reads the launchers' variables. <c>srun --mpi=pmi2</c> sets Slurm's and the MPICH family's, and counts as Slurm's.</summary>
    /// <param name="variable">Value of an environment variable; null where it is not set.</param>
    public static LaunchedProcess Read(Func<string, string?> variable)
    {
        foreach ((LauncherKind kind, string rank, string size) in Variables)
        {
            if (Number(variable(size)) is int count && Number(variable(rank)) is int number && number < count)
            {
                bool bySlurm = kind == LauncherKind.Mpich && Number(variable("SLURM_STEP_NUM_TASKS")) == count;
                return new LaunchedProcess(bySlurm ? LauncherKind.Slurm : kind, number, count);
            }
        }

        return Alone;
    }

    private static int? Number(string? text)
    {
        if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int number))
        {
            return number;
        }

        return null;
    }
}
