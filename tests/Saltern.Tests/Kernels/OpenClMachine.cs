using System.Runtime.InteropServices;
using System.Text;

namespace Saltern.Tests.Kernels;

/// <summary>The processor by an OpenCL of its own (pocl), through the system's loader.</summary>
internal sealed unsafe partial class OpenClMachine : IKernelMachine
{
    private const string Library = "libOpenCL.so.1";
    private const ulong ProcessorType = 1 << 1; // cl.h: CL_DEVICE_TYPE_CPU
    private const ulong CopyHostMemory = 1 << 5; // CL_MEM_COPY_HOST_PTR
    private const uint BuildLog = 0x1183; // CL_PROGRAM_BUILD_LOG
    private readonly nint _context;
    private readonly nint _queue;
    private readonly nint _program;

    private OpenClMachine(nint device, string options)
    {
        int status;
        _context = CreateContext(0, 1, &device, 0, 0, &status);
        Check(status, "clCreateContext");
        _queue = CreateQueue(_context, device, 0, &status);
        Check(status, "clCreateCommandQueue");
        byte[] source = Encoding.UTF8.GetBytes(KernelSource.Text);
        fixed (byte* text = source)
        {
            byte* start = text;
            nuint length = (nuint)source.Length;
            _program = CreateProgram(_context, 1, &start, &length, &status);
        }

        Check(status, "clCreateProgramWithSource");
        if (BuildProgram(_program, 1, &device, options, 0, 0) != 0)
        {
            byte[] log = new byte[1 << 16];
            fixed (byte* text = log)
            {
                _ = ProgramBuildInfo(_program, device, BuildLog, (nuint)log.Length, text, null);
            }

            throw new InvalidOperationException("The kernels do not compile: " + Encoding.UTF8.GetString(log));
        }
    }

    /// <summary>The kernels on the first processor that an OpenCL offers; null where there is none.</summary>
    /// <param name="bfloat16">Whether <c>real</c> is bfloat16.</param>
    public static OpenClMachine? Open(bool bfloat16)
    {
        if (!NativeLibrary.TryLoad(Library, out _))
        {
            return null;
        }

        uint count = 0;
        nint* platforms = stackalloc nint[8];
        if (PlatformIds(8, platforms, &count) != 0)
        {
            return null;
        }

        for (int i = 0; i < Math.Min(count, 8); i++)
        {
            nint device = 0;
            uint devices = 0;
            if (DeviceIds(platforms[i], ProcessorType, 1, &device, &devices) == 0 && devices > 0)
            {
                return new OpenClMachine(device, "-cl-std=CL1.2" + (bfloat16 ? " -DSALTERN_BF16" : ""));
            }
        }

        return null;
    }

    public void Run(string kernel, int groups, params object[] arguments)
    {
        int status;
        nint made = CreateKernel(_program, kernel, &status);
        Check(status, $"clCreateKernel of {kernel}");
        var buffers = new List<(Array Values, nint Buffer)>();
        for (uint i = 0; i < arguments.Length; i++)
        {
            switch (arguments[i])
            {
                case Array values:
                    nint buffer = Buffer(values);
                    buffers.Add((values, buffer));
                    Check(SetArgument(made, i, (nuint)sizeof(nint), &buffer), kernel);
                    break;
                case int number:
                    Check(SetArgument(made, i, sizeof(int), &number), kernel);
                    break;
                case long number:
                    Check(SetArgument(made, i, sizeof(long), &number), kernel);
                    break;
                case float number:
                    Check(SetArgument(made, i, sizeof(float), &number), kernel);
                    break;
                default:
                    throw new ArgumentException($"{arguments[i].GetType()} is no argument of a kernel.");
            }
        }

        nuint group = IKernelMachine.Group;
        nuint items = group * (nuint)groups;
        Check(Enqueue(_queue, made, 1, null, &items, &group, 0, null, null), kernel);
        Check(Finish(_queue), kernel);
        foreach ((Array values, nint buffer) in buffers)
        {
            GCHandle pinned = GCHandle.Alloc(values, GCHandleType.Pinned);
            Check(Read(_queue, buffer, 1, 0, Bytes(values), (void*)pinned.AddrOfPinnedObject(), 0, null, null), kernel);
            pinned.Free();
            _ = ReleaseBuffer(buffer);
        }

        _ = ReleaseKernel(made);
    }

    public void Dispose()
    {
        _ = ReleaseProgram(_program);
        _ = ReleaseQueue(_queue);
        _ = ReleaseContext(_context);
    }

    private nint Buffer(Array values)
    {
        int status;
        GCHandle pinned = GCHandle.Alloc(values, GCHandleType.Pinned);
        nint buffer = CreateBuffer(
            _context,
            CopyHostMemory,
            Bytes(values),
            (void*)pinned.AddrOfPinnedObject(),
            &status
        );
        pinned.Free();
        Check(status, "clCreateBuffer");
        return buffer;
    }

    private static nuint Bytes(Array values) => (nuint)System.Buffer.ByteLength(values);

    private static void Check(int status, string what)
    {
        if (status != 0)
        {
            throw new InvalidOperationException($"OpenCL: {what} failed with {status}.");
        }
    }

    [LibraryImport(Library, EntryPoint = "clGetPlatformIDs")]
    private static partial int PlatformIds(uint room, nint* platforms, uint* count);

    [LibraryImport(Library, EntryPoint = "clGetDeviceIDs")]
    private static partial int DeviceIds(nint platform, ulong type, uint room, nint* devices, uint* count);

    [LibraryImport(Library, EntryPoint = "clCreateContext")]
    private static partial nint CreateContext(
        nint properties,
        uint count,
        nint* devices,
        nint notify,
        nint user,
        int* status
    );

    [LibraryImport(Library, EntryPoint = "clCreateCommandQueue")]
    private static partial nint CreateQueue(nint context, nint device, ulong properties, int* status);

    [LibraryImport(Library, EntryPoint = "clCreateProgramWithSource")]
    private static partial nint CreateProgram(nint context, uint count, byte** texts, nuint* lengths, int* status);

    [LibraryImport(Library, EntryPoint = "clBuildProgram", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int BuildProgram(
        nint program,
        uint count,
        nint* devices,
        string options,
        nint notify,
        nint user
    );

    [LibraryImport(Library, EntryPoint = "clGetProgramBuildInfo")]
    private static partial int ProgramBuildInfo(
        nint program,
        nint device,
        uint name,
        nuint room,
        void* value,
        nuint* size
    );

    [LibraryImport(Library, EntryPoint = "clCreateKernel", StringMarshalling = StringMarshalling.Utf8)]
    private static partial nint CreateKernel(nint program, string name, int* status);

    [LibraryImport(Library, EntryPoint = "clSetKernelArg")]
    private static partial int SetArgument(nint kernel, uint index, nuint size, void* value);

    [LibraryImport(Library, EntryPoint = "clCreateBuffer")]
    private static partial nint CreateBuffer(nint context, ulong flags, nuint size, void* host, int* status);

    [LibraryImport(Library, EntryPoint = "clEnqueueNDRangeKernel")]
    private static partial int Enqueue(
        nint queue,
        nint kernel,
        uint dimensions,
        nuint* offset,
        nuint* items,
        nuint* group,
        uint waits,
        nint* waitFor,
        nint* signal
    );

    [LibraryImport(Library, EntryPoint = "clEnqueueReadBuffer")]
    private static partial int Read(
        nint queue,
        nint buffer,
        uint blocking,
        nuint offset,
        nuint size,
        void* to,
        uint waits,
        nint* waitFor,
        nint* signal
    );

    [LibraryImport(Library, EntryPoint = "clFinish")]
    private static partial int Finish(nint queue);

    [LibraryImport(Library, EntryPoint = "clReleaseMemObject")]
    private static partial int ReleaseBuffer(nint buffer);

    [LibraryImport(Library, EntryPoint = "clReleaseKernel")]
    private static partial int ReleaseKernel(nint kernel);

    [LibraryImport(Library, EntryPoint = "clReleaseProgram")]
    private static partial int ReleaseProgram(nint program);

    [LibraryImport(Library, EntryPoint = "clReleaseCommandQueue")]
    private static partial int ReleaseQueue(nint queue);

    [LibraryImport(Library, EntryPoint = "clReleaseContext")]
    private static partial int ReleaseContext(nint context);
}
