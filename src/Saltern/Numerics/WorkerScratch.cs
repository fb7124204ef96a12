using System.Runtime.InteropServices;

namespace Saltern.Numerics;

/// <summary>Memory of one thread for the piece of work at hand: kept from piece to piece, larger when a piece asks for more.</summary>
internal static unsafe class WorkerScratch
{
    private const int Alignment = 64;

    [ThreadStatic]
    private static Room? Current;

    /// <summary>Room for so many bfloat16 numbers, values as the last piece left them; valid until the thread's next call.</summary>
    public static BFloat16* Take(long count)
    {
        long bytes = count * sizeof(BFloat16);
        if (Current is null || Current.Bytes < bytes)
        {
            Current?.Dispose();
            Current = new Room(bytes);
        }

        return (BFloat16*)Current.Start;
    }

    // Freed with its thread, or before.
    private sealed class Room : IDisposable
    {
        public Room(long bytes)
        {
            Bytes = bytes;
            Start = (nint)NativeMemory.AlignedAlloc((nuint)bytes, Alignment);
        }

        ~Room() => Release();

        public long Bytes { get; }

        public nint Start { get; private set; }

        public void Dispose()
        {
            Release();
            GC.SuppressFinalize(this);
        }

        private void Release()
        {
            NativeMemory.AlignedFree((void*)Start);
            Start = 0;
        }
    }
}
