using System.Runtime.InteropServices;
using System.Text;

namespace Saltern.Distributed;

/// <summary>The MPI library of this process: found, loaded, and its values of MPI's constants. A process has one at most.</summary>
/// <remarks>The two families share every function and no constant: Open MPI's handles are addresses of its own data, the MPICH family's are integers.</remarks>
internal sealed record MpiLibrary
{
    /// <summary>What a user sets to name the library.</summary>
    public const string PathVariable = "SALTERN_MPI_LIBRARY";

    private const int LongestVersion = 8_192; // MPICH's MPI_MAX_LIBRARY_VERSION_STRING, the larger one
    private static readonly string[] OpenMpiNames = ["libmpi.so.40"];
    private static readonly string[] MpichNames = ["libmpi.so.12", "libmpich.so.12", "libmpi_cray.so.12"];

    /// <summary>Name that it was loaded by.</summary>
    public required string Path { get; init; }

    /// <summary>Whether it is Open MPI; else one of the MPICH family.</summary>
    public required bool IsOpenMpi { get; init; }

    /// <summary>MPI_COMM_WORLD.</summary>
    public required nint World { get; init; }

    /// <summary>MPI_BYTE.</summary>
    public required nint Byte { get; init; }

    /// <summary>MPI_FLOAT.</summary>
    public required nint Float { get; init; }

    /// <summary>MPI_SUM.</summary>
    public required nint Sum { get; init; }

    /// <summary>MPI_ERRORS_RETURN.</summary>
    public required nint ErrorsReturn { get; init; }

    /// <summary>MPI_IN_PLACE.</summary>
    public required nint InPlace { get; init; }

    /// <summary>MPI_STATUS_IGNORE.</summary>
    public required nint IgnoreStatus { get; init; }

    /// <summary>MPI_ANY_SOURCE.</summary>
    public required int AnySource { get; init; }

    /// <summary>What the library calls itself, first line.</summary>
    public unsafe string Version
    {
        get
        {
            byte* text = stackalloc byte[LongestVersion];
            int length = 0;
            if (MpiFunctions.GetLibraryVersion(text, &length) == 0)
            {
                return Encoding.UTF8.GetString(text, length).Split('\n')[0].Trim('\0', ' ', ',');
            }

            return "unknown version";
        }
    }

    /// <summary>Finds and loads a library that fits the launcher.</summary>
    /// <param name="launch">Who started this process.</param>
    /// <param name="path">What the user named; null to look for one.</param>
    /// <exception cref="ConfigurationException">There is none, it is not MPI, or it is of the other family than the launcher.</exception>
    public static MpiLibrary Load(LaunchedProcess launch, string? path)
    {
        string[] names = (path, launch.Kind) switch
        {
            (not null, _) => [path],
            (_, LauncherKind.OpenMpi) => OpenMpiNames,
            (_, LauncherKind.Mpich) => MpichNames,
            _ => [.. OpenMpiNames, .. MpichNames],
        };
        (string? name, nint handle) = names
            .Select(name => (name, Handle: ImportedLibraries.Open(name)))
            .FirstOrDefault(found => found.Handle != 0);
        if (name is null)
        {
            throw NotLoaded(launch, path, names);
        }

        if (!NativeLibrary.TryGetExport(handle, "MPI_Init_thread", out _))
        {
            throw new ConfigurationException(
                $"{PathVariable} = {name} is not an MPI library: it has no MPI_Init_thread."
            );
        }

        ImportedLibraries.Use(MpiFunctions.Library, handle);
        MpiLibrary library = ConstantsOf(name, handle);
        bool? expected = launch.Kind switch
        {
            LauncherKind.OpenMpi => true,
            LauncherKind.Mpich => false,
            _ => null,
        };
        if (expected is bool open && open != library.IsOpenMpi)
        {
            throw new ConfigurationException(
                $"The launcher is {launch.LauncherName}, "
                    + $"but the MPI library {library.Path} is {library.Version}, of the other family. "
                    + "Start with the mpirun that belongs to it, "
                    + $"or name the launcher's own library in {PathVariable} (or unset it)."
            );
        }

        return library;
    }

    private static ConfigurationException NotLoaded(LaunchedProcess launch, string? path, string[] names)
    {
        if (path is not null)
        {
            return new ConfigurationException(
                $"{PathVariable} = {path} cannot be loaded. "
                    + "Give the path of the MPI library that belongs to the launcher, "
                    + "such as /usr/lib/x86_64-linux-gnu/libmpi.so.40."
            );
        }

        return new ConfigurationException(
            $"{launch.LauncherName} started {launch.Size} processes, "
                + $"but no MPI library is found (looked for {string.Join(", ", names)}). "
                + $"Install the launcher's library, or name it in {PathVariable}."
        );
    }

    private static MpiLibrary ConstantsOf(string path, nint library)
    {
        if (!NativeLibrary.TryGetExport(library, "ompi_mpi_comm_world", out nint world))
        {
            return new MpiLibrary
            {
                Path = path,
                IsOpenMpi = false,
                World = 0x44000000,
                Byte = 0x4c00010d,
                Float = 0x4c00040a,
                Sum = 0x58000003,
                ErrorsReturn = 0x54000001,
                InPlace = -1,
                IgnoreStatus = 1,
                AnySource = -2,
            };
        }

        return new MpiLibrary
        {
            Path = path,
            IsOpenMpi = true,
            World = world,
            Byte = NativeLibrary.GetExport(library, "ompi_mpi_byte"),
            Float = NativeLibrary.GetExport(library, "ompi_mpi_float"),
            Sum = NativeLibrary.GetExport(library, "ompi_mpi_op_sum"),
            ErrorsReturn = NativeLibrary.GetExport(library, "ompi_mpi_errors_return"),
            InPlace = 1,
            IgnoreStatus = 0,
            AnySource = -1,
        };
    }
}
